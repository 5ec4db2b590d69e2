# Made by `npm run generate` from the OpenAPI document.
from __future__ import annotations

from typing import Any, AsyncIterator, Literal, Mapping, Optional, Sequence, Union

from . import _types as t
from ._core import AsyncCore, AsyncListing


class AsyncOperationsMessages:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core

    async def send(self, body: "t.SendMessage", *, dry_run: Optional[bool] = None, idempotency_key: Optional[str] = None, wait: Optional[int] = None, timeout: Optional[float] = None) -> Union["t.Message", "t.AcceptedMessage"]:
        """Send a message: POST /api/v1/messages"""
        answer: Union["t.Message", "t.AcceptedMessage"] = await self._core.call("POST", "/api/v1/messages", (), {"dry_run": dry_run}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, wait=wait, timeout=timeout)
        return answer

    def list(self, *, limit: Optional[int] = None, after: Optional[str] = None, before: Optional[str] = None, status: Optional[Union[str, Sequence[str]]] = None, channel: Optional[Literal["sms", "whatsapp", "email", "push", "telegram", "broadcast"]] = None, to: Optional[str] = None, tag: Optional[str] = None, client_ref: Optional[str] = None, created_from: Optional[str] = None, created_before: Optional[str] = None, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> AsyncListing["t.MessageSummary"]:
        """List messages, newest first: GET /api/v1/messages"""
        return self._core.listing("GET", "/api/v1/messages", (), {"limit": limit, "after": after, "before": before, "status": status, "channel": channel, "to": to, "tag": tag, "client_ref": client_ref, "created_from": created_from, "created_before": created_before}, min_log_position=min_log_position, timeout=timeout)

    async def send_batch(self, body: "t.SendBatch", *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.BatchAnswer":
        """Send up to 1,000 messages, each with its own result: POST /api/v1/messages/batch"""
        answer: "t.BatchAnswer" = await self._core.call("POST", "/api/v1/messages/batch", (), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer

    async def timeline(self, id: Union[str, int], *, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> "t.Timeline":
        """Every event of a message, oldest first: GET /api/v1/messages/{id}/timeline"""
        answer: "t.Timeline" = await self._core.call("GET", "/api/v1/messages/{id}/timeline", (id,), {}, min_log_position=min_log_position, timeout=timeout)
        return answer

    async def cancel(self, id: Union[str, int], *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.Message":
        """Cancel a message that is still scheduled: POST /api/v1/messages/{id}/cancel"""
        answer: "t.Message" = await self._core.call("POST", "/api/v1/messages/{id}/cancel", (id,), {}, keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer

    async def get(self, id: Union[str, int], *, as_of: Optional[str] = None, min_log_position: Optional[str] = None, if_none_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.Message":
        """Get a message, now or as of an earlier position or time: GET /api/v1/messages/{id}"""
        answer: "t.Message" = await self._core.call("GET", "/api/v1/messages/{id}", (id,), {"as_of": as_of}, min_log_position=min_log_position, if_none_match=if_none_match, timeout=timeout)
        return answer

    async def explain(self, id: Union[str, int], *, field: str, as_of: Optional[str] = None, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> "t.FieldExplanation":
        """Which events a field of a message comes from, now or as of an earlier position or time: GET /api/v1/messages/{id}/explain"""
        answer: "t.FieldExplanation" = await self._core.call("GET", "/api/v1/messages/{id}/explain", (id,), {"field": field, "as_of": as_of}, min_log_position=min_log_position, timeout=timeout)
        return answer


class AsyncOperationsConversationsMessages:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core

    def list(self, id: Union[str, int], *, limit: Optional[int] = None, after: Optional[str] = None, before: Optional[str] = None, newest: Optional[bool] = None, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> AsyncListing["t.ConversationMessage"]:
        """List the messages and notes of a conversation, oldest first: GET /api/v1/conversations/{id}/messages"""
        return self._core.listing("GET", "/api/v1/conversations/{id}/messages", (id,), {"limit": limit, "after": after, "before": before, "newest": newest}, min_log_position=min_log_position, timeout=timeout)


class AsyncOperationsConversationsTimeline:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core

    def list(self, id: Union[str, int], *, limit: Optional[int] = None, after: Optional[str] = None, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> AsyncListing[Mapping[str, Any]]:
        """Every event of a conversation, oldest first: GET /api/v1/conversations/{id}/timeline"""
        return self._core.listing("GET", "/api/v1/conversations/{id}/timeline", (id,), {"limit": limit, "after": after}, min_log_position=min_log_position, timeout=timeout)


class AsyncOperationsConversations:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core
        self.messages = AsyncOperationsConversationsMessages(core)
        self.timeline = AsyncOperationsConversationsTimeline(core)

    async def reply(self, id: Union[str, int], body: "t.SendReply", *, idempotency_key: Optional[str] = None, wait: Optional[int] = None, timeout: Optional[float] = None) -> Union["t.SettledReply", "t.AcceptedReply"]:
        """Answer the person of a conversation: POST /api/v1/conversations/{id}/messages"""
        answer: Union["t.SettledReply", "t.AcceptedReply"] = await self._core.call("POST", "/api/v1/conversations/{id}/messages", (id,), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, wait=wait, timeout=timeout)
        return answer

    def list(self, *, limit: Optional[int] = None, after: Optional[str] = None, before: Optional[str] = None, status: Optional[Literal["open", "snoozed", "closed"]] = None, assignee: Optional[str] = None, team: Optional[str] = None, contact: Optional[str] = None, channel: Optional[Literal["sms", "whatsapp", "email", "push", "telegram", "broadcast"]] = None, unread: Optional[bool] = None, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> AsyncListing["t.Conversation"]:
        """List conversations, newest activity first: GET /api/v1/conversations"""
        return self._core.listing("GET", "/api/v1/conversations", (), {"limit": limit, "after": after, "before": before, "status": status, "assignee": assignee, "team": team, "contact": contact, "channel": channel, "unread": unread}, min_log_position=min_log_position, timeout=timeout)

    async def get(self, id: Union[str, int], *, as_of: Optional[str] = None, min_log_position: Optional[str] = None, if_none_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.Conversation":
        """Get a conversation, now or as of an earlier position or time: GET /api/v1/conversations/{id}"""
        answer: "t.Conversation" = await self._core.call("GET", "/api/v1/conversations/{id}", (id,), {"as_of": as_of}, min_log_position=min_log_position, if_none_match=if_none_match, timeout=timeout)
        return answer

    async def explain(self, id: Union[str, int], *, field: str, as_of: Optional[str] = None, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> "t.FieldExplanation":
        """Which events a field of a conversation comes from, now or as of an earlier position or time: GET /api/v1/conversations/{id}/explain"""
        answer: "t.FieldExplanation" = await self._core.call("GET", "/api/v1/conversations/{id}/explain", (id,), {"field": field, "as_of": as_of}, min_log_position=min_log_position, timeout=timeout)
        return answer

    async def note(self, id: Union[str, int], body: "t.WriteNote", *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.ConversationMessage":
        """Write a note that the person does not see: POST /api/v1/conversations/{id}/notes"""
        answer: "t.ConversationMessage" = await self._core.call("POST", "/api/v1/conversations/{id}/notes", (id,), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer

    async def close(self, id: Union[str, int], *, idempotency_key: Optional[str] = None, if_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.Conversation":
        """Close a conversation: POST /api/v1/conversations/{id}/close"""
        answer: "t.Conversation" = await self._core.call("POST", "/api/v1/conversations/{id}/close", (id,), {}, keyed=True, idempotency_key=idempotency_key, if_match=if_match, timeout=timeout)
        return answer

    async def reopen(self, id: Union[str, int], *, idempotency_key: Optional[str] = None, if_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.Conversation":
        """Open a conversation that is closed or rests: POST /api/v1/conversations/{id}/reopen"""
        answer: "t.Conversation" = await self._core.call("POST", "/api/v1/conversations/{id}/reopen", (id,), {}, keyed=True, idempotency_key=idempotency_key, if_match=if_match, timeout=timeout)
        return answer

    async def snooze(self, id: Union[str, int], body: "t.SnoozeConversation", *, idempotency_key: Optional[str] = None, if_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.Conversation":
        """Let a conversation rest until a time, or until the person writes: POST /api/v1/conversations/{id}/snooze"""
        answer: "t.Conversation" = await self._core.call("POST", "/api/v1/conversations/{id}/snooze", (id,), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, if_match=if_match, timeout=timeout)
        return answer

    async def read(self, id: Union[str, int], body: "t.ReadConversation", *, idempotency_key: Optional[str] = None, if_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.Conversation":
        """Mark everything up to a message as read: POST /api/v1/conversations/{id}/read"""
        answer: "t.Conversation" = await self._core.call("POST", "/api/v1/conversations/{id}/read", (id,), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, if_match=if_match, timeout=timeout)
        return answer

    async def assign(self, id: Union[str, int], body: "t.AssignConversation", *, idempotency_key: Optional[str] = None, if_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.AssignedConversation":
        """Give a conversation to an agent, or let routing find one: POST /api/v1/conversations/{id}/assign"""
        answer: "t.AssignedConversation" = await self._core.call("POST", "/api/v1/conversations/{id}/assign", (id,), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, if_match=if_match, timeout=timeout)
        return answer

    async def unassign(self, id: Union[str, int], *, idempotency_key: Optional[str] = None, if_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.Conversation":
        """Take a conversation from its agent: POST /api/v1/conversations/{id}/unassign"""
        answer: "t.Conversation" = await self._core.call("POST", "/api/v1/conversations/{id}/unassign", (id,), {}, keyed=True, idempotency_key=idempotency_key, if_match=if_match, timeout=timeout)
        return answer


class AsyncOperationsBroadcastsRecipients:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core

    def list(self, id: Union[str, int], *, limit: Optional[int] = None, after: Optional[str] = None, before: Optional[str] = None, status: Optional[Literal["pending", "accepted", "skipped"]] = None, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> AsyncListing["t.BroadcastRecipient"]:
        """List whom a broadcast is for, and why some were skipped: GET /api/v1/broadcasts/{id}/recipients"""
        return self._core.listing("GET", "/api/v1/broadcasts/{id}/recipients", (id,), {"limit": limit, "after": after, "before": before, "status": status}, min_log_position=min_log_position, timeout=timeout)


class AsyncOperationsBroadcasts:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core
        self.recipients = AsyncOperationsBroadcastsRecipients(core)

    async def create(self, body: "t.CreateBroadcast", *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.Broadcast":
        """Draft a message to many contacts: POST /api/v1/broadcasts"""
        answer: "t.Broadcast" = await self._core.call("POST", "/api/v1/broadcasts", (), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer

    def list(self, *, limit: Optional[int] = None, after: Optional[str] = None, before: Optional[str] = None, status: Optional[Literal["draft", "running", "paused", "done", "canceled"]] = None, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> AsyncListing["t.Broadcast"]:
        """List broadcasts, newest first: GET /api/v1/broadcasts"""
        return self._core.listing("GET", "/api/v1/broadcasts", (), {"limit": limit, "after": after, "before": before, "status": status}, min_log_position=min_log_position, timeout=timeout)

    async def get(self, id: Union[str, int], *, min_log_position: Optional[str] = None, if_none_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.Broadcast":
        """Get how far a broadcast is: GET /api/v1/broadcasts/{id}"""
        answer: "t.Broadcast" = await self._core.call("GET", "/api/v1/broadcasts/{id}", (id,), {}, min_log_position=min_log_position, if_none_match=if_none_match, timeout=timeout)
        return answer

    async def preview(self, id: Union[str, int], *, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> "t.BroadcastPreview":
        """What a broadcast would come to now: who is skipped and why, segments and cost: POST /api/v1/broadcasts/{id}/preview"""
        answer: "t.BroadcastPreview" = await self._core.call("POST", "/api/v1/broadcasts/{id}/preview", (id,), {}, min_log_position=min_log_position, timeout=timeout)
        return answer

    async def start(self, id: Union[str, int], *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.Broadcast":
        """Start a broadcast: its audience are the contacts of this moment: POST /api/v1/broadcasts/{id}/start"""
        answer: "t.Broadcast" = await self._core.call("POST", "/api/v1/broadcasts/{id}/start", (id,), {}, keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer

    async def pause(self, id: Union[str, int], *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.Broadcast":
        """Pause a broadcast: after at most a hundred more messages it sends none: POST /api/v1/broadcasts/{id}/pause"""
        answer: "t.Broadcast" = await self._core.call("POST", "/api/v1/broadcasts/{id}/pause", (id,), {}, keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer

    async def resume(self, id: Union[str, int], *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.Broadcast":
        """Go on with a paused broadcast where it was: POST /api/v1/broadcasts/{id}/resume"""
        answer: "t.Broadcast" = await self._core.call("POST", "/api/v1/broadcasts/{id}/resume", (id,), {}, keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer

    async def cancel(self, id: Union[str, int], *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.Broadcast":
        """End a broadcast: what is not accepted yet is never sent: POST /api/v1/broadcasts/{id}/cancel"""
        answer: "t.Broadcast" = await self._core.call("POST", "/api/v1/broadcasts/{id}/cancel", (id,), {}, keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer


class AsyncOperationsForks:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core

    async def create(self, body: "t.RequestFork", *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.Fork":
        """Send in a partner's sandbox what its live messages of a window come to, and write there what people wrote, without a person in it: POST /api/v1/forks"""
        answer: "t.Fork" = await self._core.call("POST", "/api/v1/forks", (), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer

    async def get(self, id: Union[str, int], *, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> "t.Fork":
        """Progress of a fork: GET /api/v1/forks/{id}"""
        answer: "t.Fork" = await self._core.call("GET", "/api/v1/forks/{id}", (id,), {}, min_log_position=min_log_position, timeout=timeout)
        return answer

    async def cancel(self, id: Union[str, int], *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.Fork":
        """End a fork that has not ended; what it sent stays: POST /api/v1/forks/{id}/cancel"""
        answer: "t.Fork" = await self._core.call("POST", "/api/v1/forks/{id}/cancel", (id,), {}, keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer


class AsyncOperationsTemplatesVersions:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core

    async def create(self, id: Union[str, int], body: "t.AddTemplateVersion", *, channel: Optional[Literal["sms", "whatsapp", "email", "push", "telegram", "broadcast"]] = None, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.TemplateVersion":
        """Add a version to a template: POST /api/v1/templates/{id}/versions"""
        answer: "t.TemplateVersion" = await self._core.call("POST", "/api/v1/templates/{id}/versions", (id,), {"channel": channel}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer

    async def get(self, id: Union[str, int], version: Union[str, int], *, channel: Optional[Literal["sms", "whatsapp", "email", "push", "telegram", "broadcast"]] = None, min_log_position: Optional[str] = None, if_none_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.TemplateVersion":
        """Get one version of a template: GET /api/v1/templates/{id}/versions/{version}"""
        answer: "t.TemplateVersion" = await self._core.call("GET", "/api/v1/templates/{id}/versions/{version}", (id, version,), {"channel": channel}, min_log_position=min_log_position, if_none_match=if_none_match, timeout=timeout)
        return answer


class AsyncOperationsTemplates:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core
        self.versions = AsyncOperationsTemplatesVersions(core)

    async def create(self, body: "t.CreateTemplate", *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.Template":
        """Create a template with its first version: POST /api/v1/templates"""
        answer: "t.Template" = await self._core.call("POST", "/api/v1/templates", (), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer

    def list(self, *, limit: Optional[int] = None, after: Optional[str] = None, before: Optional[str] = None, channel: Optional[Literal["sms", "whatsapp", "email", "push", "telegram", "broadcast"]] = None, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> AsyncListing["t.TemplateSummary"]:
        """List templates, newest first: GET /api/v1/templates"""
        return self._core.listing("GET", "/api/v1/templates", (), {"limit": limit, "after": after, "before": before, "channel": channel}, min_log_position=min_log_position, timeout=timeout)

    async def get(self, id: Union[str, int], *, channel: Optional[Literal["sms", "whatsapp", "email", "push", "telegram", "broadcast"]] = None, as_of: Optional[str] = None, min_log_position: Optional[str] = None, if_none_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.Template":
        """Get a template by id or slug, now or as of an earlier position or time: GET /api/v1/templates/{id}"""
        answer: "t.Template" = await self._core.call("GET", "/api/v1/templates/{id}", (id,), {"channel": channel, "as_of": as_of}, min_log_position=min_log_position, if_none_match=if_none_match, timeout=timeout)
        return answer

    async def update(self, id: Union[str, int], body: "t.ChangeTemplate", *, channel: Optional[Literal["sms", "whatsapp", "email", "push", "telegram", "broadcast"]] = None, idempotency_key: Optional[str] = None, if_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.Template":
        """Change texts, variables, description or default language of a template: the newest version with the change is the next one: PATCH /api/v1/templates/{id}"""
        answer: "t.Template" = await self._core.call("PATCH", "/api/v1/templates/{id}", (id,), {"channel": channel}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, if_match=if_match, timeout=timeout)
        return answer

    async def delete(self, id: Union[str, int], *, channel: Optional[Literal["sms", "whatsapp", "email", "push", "telegram", "broadcast"]] = None, idempotency_key: Optional[str] = None, if_match: Optional[str] = None, timeout: Optional[float] = None) -> None:
        """Delete a template by id or slug; what was accepted with it keeps its text: DELETE /api/v1/templates/{id}"""
        await self._core.call("DELETE", "/api/v1/templates/{id}", (id,), {"channel": channel}, keyed=True, idempotency_key=idempotency_key, if_match=if_match, timeout=timeout)

    async def preview(self, id: Union[str, int], body: "t.PreviewTemplate", *, channel: Optional[Literal["sms", "whatsapp", "email", "push", "telegram", "broadcast"]] = None, timeout: Optional[float] = None) -> "t.RenderedTemplate":
        """Render a template without sending anything: POST /api/v1/templates/{id}/preview"""
        answer: "t.RenderedTemplate" = await self._core.call("POST", "/api/v1/templates/{id}/preview", (id,), {"channel": channel}, body=body, kind="json", timeout=timeout)
        return answer


class AsyncOperationsWalletSettings:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core

    async def get(self, *, currency: Optional[str] = None, partner_id: Optional[str] = None, environment: Optional[Literal["live", "sandbox"]] = None, min_log_position: Optional[str] = None, if_none_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.WalletSettings":
        """What the wallet decides by: GET /api/v1/wallet/settings"""
        answer: "t.WalletSettings" = await self._core.call("GET", "/api/v1/wallet/settings", (), {"currency": currency, "partner_id": partner_id, "environment": environment}, min_log_position=min_log_position, if_none_match=if_none_match, timeout=timeout)
        return answer

    async def set(self, body: "t.ChangeWalletSettings", *, idempotency_key: Optional[str] = None, if_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.WalletSettings":
        """Set the low-balance threshold, spend limits and, for administrators, the credit: PUT /api/v1/wallet/settings"""
        answer: "t.WalletSettings" = await self._core.call("PUT", "/api/v1/wallet/settings", (), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, if_match=if_match, timeout=timeout)
        return answer


class AsyncOperationsWalletStatements:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core

    async def get(self, month: Union[str, int], *, currency: Optional[str] = None, limit: Optional[int] = None, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> "t.WalletStatement":
        """A month of the wallet: opening, entries, closing: GET /api/v1/wallet/statements/{month}"""
        answer: "t.WalletStatement" = await self._core.call("GET", "/api/v1/wallet/statements/{month}", (month,), {"currency": currency, "limit": limit}, min_log_position=min_log_position, timeout=timeout)
        return answer


class AsyncOperationsWalletTransactions:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core

    def list(self, *, limit: Optional[int] = None, after: Optional[str] = None, before: Optional[str] = None, kind: Optional[Union[str, Sequence[str]]] = None, message_id: Optional[str] = None, reference: Optional[str] = None, currency: Optional[str] = None, created_from: Optional[str] = None, created_before: Optional[str] = None, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> AsyncListing["t.WalletTransaction"]:
        """Every movement of the wallet, newest first: GET /api/v1/wallet/transactions"""
        return self._core.listing("GET", "/api/v1/wallet/transactions", (), {"limit": limit, "after": after, "before": before, "kind": kind, "message_id": message_id, "reference": reference, "currency": currency, "created_from": created_from, "created_before": created_before}, min_log_position=min_log_position, timeout=timeout)


class AsyncOperationsWallet:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core
        self.settings = AsyncOperationsWalletSettings(core)
        self.statements = AsyncOperationsWalletStatements(core)
        self.transactions = AsyncOperationsWalletTransactions(core)

    async def explain(self, *, field: Literal["available", "held"], currency: Optional[str] = None, as_of: Optional[str] = None, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> "t.FieldExplanation":
        """Which events made the balance what it is, now or as of an earlier position or time: GET /api/v1/wallet/explain"""
        answer: "t.FieldExplanation" = await self._core.call("GET", "/api/v1/wallet/explain", (), {"field": field, "currency": currency, "as_of": as_of}, min_log_position=min_log_position, timeout=timeout)
        return answer

    async def top_up(self, body: "t.Topup", *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.ToppedUp":
        """Add funds: sandbox keys to their own wallet, admin keys to any: POST /api/v1/wallet/topups"""
        answer: "t.ToppedUp" = await self._core.call("POST", "/api/v1/wallet/topups", (), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer

    async def proof(self, *, at: Optional[str] = None, currency: Optional[str] = None, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> "t.WalletProof":
        """The wallet recomputed from the log, now or at an earlier position: GET /api/v1/wallet/proof"""
        answer: "t.WalletProof" = await self._core.call("GET", "/api/v1/wallet/proof", (), {"at": at, "currency": currency}, min_log_position=min_log_position, timeout=timeout)
        return answer


class AsyncOperationsAdminPartners:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core

    async def adjust(self, id: Union[str, int], body: "t.Adjust", *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.Adjustment":
        """Correct a partner's balance, with a reason: POST /api/v1/admin/partners/{id}/adjustments"""
        answer: "t.Adjustment" = await self._core.call("POST", "/api/v1/admin/partners/{id}/adjustments", (id,), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer

    async def set_price_list(self, id: Union[str, int], body: "t.AssignPrices", *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.AssignedPrices":
        """Let a list price what a partner sends from here on: PUT /api/v1/admin/partners/{id}/price-list"""
        answer: "t.AssignedPrices" = await self._core.call("PUT", "/api/v1/admin/partners/{id}/price-list", (id,), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer

    async def create(self, body: "t.CreatePartner", *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.CreatedPartner":
        """Create a partner with a key for each environment: POST /api/v1/admin/partners"""
        answer: "t.CreatedPartner" = await self._core.call("POST", "/api/v1/admin/partners", (), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer

    def list(self, *, limit: Optional[int] = None, after: Optional[str] = None, before: Optional[str] = None, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> AsyncListing["t.Partner"]:
        """List partners, oldest first: GET /api/v1/admin/partners"""
        return self._core.listing("GET", "/api/v1/admin/partners", (), {"limit": limit, "after": after, "before": before}, min_log_position=min_log_position, timeout=timeout)

    async def get(self, id: Union[str, int], *, min_log_position: Optional[str] = None, if_none_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.Partner":
        """Read a partner with its limits: GET /api/v1/admin/partners/{id}"""
        answer: "t.Partner" = await self._core.call("GET", "/api/v1/admin/partners/{id}", (id,), {}, min_log_position=min_log_position, if_none_match=if_none_match, timeout=timeout)
        return answer

    async def update(self, id: Union[str, int], body: "t.PatchPartner", *, idempotency_key: Optional[str] = None, if_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.Partner":
        """Change a partner's limits, or suspend it; in force everywhere within a second: PATCH /api/v1/admin/partners/{id}"""
        answer: "t.Partner" = await self._core.call("PATCH", "/api/v1/admin/partners/{id}", (id,), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, if_match=if_match, timeout=timeout)
        return answer


class AsyncOperationsAdminPrices:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core

    def list(self, *, limit: Optional[int] = None, after: Optional[str] = None, before: Optional[str] = None, list: Optional[str] = None, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> AsyncListing["t.PublishedPriceList"]:
        """The price lists, their versions in force and to come, and who pays by them: GET /api/v1/admin/prices"""
        return self._core.listing("GET", "/api/v1/admin/prices", (), {"limit": limit, "after": after, "before": before, "list": list}, min_log_position=min_log_position, timeout=timeout)

    async def publish(self, body: "t.PublishPrices", *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.PriceList":
        """Publish a version of a price list: PUT /api/v1/admin/prices"""
        answer: "t.PriceList" = await self._core.call("PUT", "/api/v1/admin/prices", (), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer


class AsyncOperationsAdminGateways:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core

    async def create(self, body: "t.CreateGateway", *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.AdminGateway":
        """Add a gateway; messages may go through it at once: POST /api/v1/admin/gateways"""
        answer: "t.AdminGateway" = await self._core.call("POST", "/api/v1/admin/gateways", (), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer

    def list(self, *, limit: Optional[int] = None, after: Optional[str] = None, before: Optional[str] = None, environment: Optional[Literal["live", "sandbox"]] = None, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> AsyncListing["t.AdminGateway"]:
        """The gateways of both environments with their settings: GET /api/v1/admin/gateways"""
        return self._core.listing("GET", "/api/v1/admin/gateways", (), {"limit": limit, "after": after, "before": before, "environment": environment}, min_log_position=min_log_position, timeout=timeout)

    async def get(self, id: Union[str, int], *, min_log_position: Optional[str] = None, if_none_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.AdminGateway":
        """A gateway with its settings: GET /api/v1/admin/gateways/{id}"""
        answer: "t.AdminGateway" = await self._core.call("GET", "/api/v1/admin/gateways/{id}", (id,), {}, min_log_position=min_log_position, if_none_match=if_none_match, timeout=timeout)
        return answer

    async def update(self, id: Union[str, int], body: "t.PatchGateway", *, idempotency_key: Optional[str] = None, if_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.AdminGateway":
        """Change a gateway; in force everywhere within a second: PATCH /api/v1/admin/gateways/{id}"""
        answer: "t.AdminGateway" = await self._core.call("PATCH", "/api/v1/admin/gateways/{id}", (id,), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, if_match=if_match, timeout=timeout)
        return answer

    async def delete(self, id: Union[str, int], *, idempotency_key: Optional[str] = None, if_match: Optional[str] = None, timeout: Optional[float] = None) -> None:
        """Remove a gateway; calls that are under way end: DELETE /api/v1/admin/gateways/{id}"""
        await self._core.call("DELETE", "/api/v1/admin/gateways/{id}", (id,), {}, keyed=True, idempotency_key=idempotency_key, if_match=if_match, timeout=timeout)

    async def enable(self, id: Union[str, int], *, idempotency_key: Optional[str] = None, if_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.AdminGateway":
        """Let messages go through a gateway: POST /api/v1/admin/gateways/{id}/enable"""
        answer: "t.AdminGateway" = await self._core.call("POST", "/api/v1/admin/gateways/{id}/enable", (id,), {}, keyed=True, idempotency_key=idempotency_key, if_match=if_match, timeout=timeout)
        return answer

    async def disable(self, id: Union[str, int], *, idempotency_key: Optional[str] = None, if_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.AdminGateway":
        """Let no more messages go through a gateway; calls that are under way end: POST /api/v1/admin/gateways/{id}/disable"""
        answer: "t.AdminGateway" = await self._core.call("POST", "/api/v1/admin/gateways/{id}/disable", (id,), {}, keyed=True, idempotency_key=idempotency_key, if_match=if_match, timeout=timeout)
        return answer

    async def test(self, id: Union[str, int], *, timeout: Optional[float] = None) -> "t.TestedGateway":
        """Reach a gateway's provider with its credentials; sends nothing: POST /api/v1/admin/gateways/{id}/test"""
        answer: "t.TestedGateway" = await self._core.call("POST", "/api/v1/admin/gateways/{id}/test", (id,), {}, timeout=timeout)
        return answer


class AsyncOperationsAdminRouting:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core

    async def get(self, *, environment: Optional[Literal["live", "sandbox"]] = None, min_log_position: Optional[str] = None, if_none_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.Routing":
        """The rules by which messages find their gateway: GET /api/v1/admin/routing"""
        answer: "t.Routing" = await self._core.call("GET", "/api/v1/admin/routing", (), {"environment": environment}, min_log_position=min_log_position, if_none_match=if_none_match, timeout=timeout)
        return answer

    async def set(self, body: "t.SetRouting", *, idempotency_key: Optional[str] = None, if_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.Routing":
        """Replace the rules by which messages find their gateway; in force everywhere within a second: PUT /api/v1/admin/routing"""
        answer: "t.Routing" = await self._core.call("PUT", "/api/v1/admin/routing", (), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, if_match=if_match, timeout=timeout)
        return answer


class AsyncOperationsAdminSenderRules:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core

    async def get(self, *, environment: Optional[Literal["live", "sandbox"]] = None, min_log_position: Optional[str] = None, if_none_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.SenderRules":
        """Which senders countries take: GET /api/v1/admin/sender-rules"""
        answer: "t.SenderRules" = await self._core.call("GET", "/api/v1/admin/sender-rules", (), {"environment": environment}, min_log_position=min_log_position, if_none_match=if_none_match, timeout=timeout)
        return answer

    async def set(self, body: "t.SetSenderRules", *, idempotency_key: Optional[str] = None, if_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.SenderRules":
        """Replace the rules for the senders that countries take; in force everywhere within a second: PUT /api/v1/admin/sender-rules"""
        answer: "t.SenderRules" = await self._core.call("PUT", "/api/v1/admin/sender-rules", (), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, if_match=if_match, timeout=timeout)
        return answer


class AsyncOperationsAdminKeys:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core

    async def create(self, body: "t.IssueAdminKey", *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.IssuedKey":
        """Issue an admin key, for the administration alone: POST /api/v1/admin/keys"""
        answer: "t.IssuedKey" = await self._core.call("POST", "/api/v1/admin/keys", (), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer

    def list(self, *, limit: Optional[int] = None, after: Optional[str] = None, before: Optional[str] = None, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> AsyncListing["t.Key"]:
        """List admin keys, oldest first: GET /api/v1/admin/keys"""
        return self._core.listing("GET", "/api/v1/admin/keys", (), {"limit": limit, "after": after, "before": before}, min_log_position=min_log_position, timeout=timeout)

    async def get(self, id: Union[str, int], *, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> "t.Key":
        """One admin key: GET /api/v1/admin/keys/{id}"""
        answer: "t.Key" = await self._core.call("GET", "/api/v1/admin/keys/{id}", (id,), {}, min_log_position=min_log_position, timeout=timeout)
        return answer

    async def delete(self, id: Union[str, int], *, idempotency_key: Optional[str] = None, if_match: Optional[str] = None, timeout: Optional[float] = None) -> None:
        """Revoke an admin key: DELETE /api/v1/admin/keys/{id}"""
        await self._core.call("DELETE", "/api/v1/admin/keys/{id}", (id,), {}, keyed=True, idempotency_key=idempotency_key, if_match=if_match, timeout=timeout)

    async def rotate(self, id: Union[str, int], body: "t.RotateKey", *, idempotency_key: Optional[str] = None, if_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.RotatedKey":
        """Make the successor of an admin key; the old one works too until the overlap ends: POST /api/v1/admin/keys/{id}/rotate"""
        answer: "t.RotatedKey" = await self._core.call("POST", "/api/v1/admin/keys/{id}/rotate", (id,), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, if_match=if_match, timeout=timeout)
        return answer


class AsyncOperationsAdminAudit:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core

    def list(self, *, limit: Optional[int] = None, after: Optional[str] = None, before: Optional[str] = None, actor: Optional[str] = None, action: Optional[str] = None, target: Optional[str] = None, from_: Optional[str] = None, to: Optional[str] = None, environment: Optional[Literal["live", "sandbox"]] = None, partner: Optional[str] = None, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> AsyncListing["t.AuditEntry"]:
        """Who changed what, sent, or was refused, and what the platform did by itself, newest first: GET /api/v1/admin/audit"""
        return self._core.listing("GET", "/api/v1/admin/audit", (), {"limit": limit, "after": after, "before": before, "actor": actor, "action": action, "target": target, "from": from_, "to": to, "environment": environment, "partner": partner}, min_log_position=min_log_position, timeout=timeout)

    async def export(self, *, actor: Optional[str] = None, action: Optional[str] = None, target: Optional[str] = None, from_: Optional[str] = None, to: Optional[str] = None, environment: Optional[Literal["live", "sandbox"]] = None, partner: Optional[str] = None, format: Optional[Literal["csv"]] = None, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> str:
        """The same as a file: GET /api/v1/admin/audit/export"""
        answer: str = await self._core.call("GET", "/api/v1/admin/audit/export", (), {"actor": actor, "action": action, "target": target, "from": from_, "to": to, "environment": environment, "partner": partner, "format": format}, min_log_position=min_log_position, timeout=timeout)
        return answer


class AsyncOperationsAdminEvaluationsRota:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core

    async def get(self, *, min_log_position: Optional[str] = None, if_none_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.EvaluationRota":
        """Who takes the next evaluations, in turn: GET /api/v1/admin/evaluations/rota"""
        answer: "t.EvaluationRota" = await self._core.call("GET", "/api/v1/admin/evaluations/rota", (), {}, min_log_position=min_log_position, if_none_match=if_none_match, timeout=timeout)
        return answer

    async def set(self, body: "t.SetEvaluationRota", *, idempotency_key: Optional[str] = None, if_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.EvaluationRota":
        """Say who takes the next evaluations, in turn, from the first; nobody when it is empty: PUT /api/v1/admin/evaluations/rota"""
        answer: "t.EvaluationRota" = await self._core.call("PUT", "/api/v1/admin/evaluations/rota", (), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, if_match=if_match, timeout=timeout)
        return answer


class AsyncOperationsAdminEvaluations:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core
        self.rota = AsyncOperationsAdminEvaluationsRota(core)

    def list(self, *, limit: Optional[int] = None, after: Optional[str] = None, before: Optional[str] = None, status: Optional[str] = None, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> AsyncListing["t.Evaluation"]:
        """List evaluations, newest first: GET /api/v1/admin/evaluations"""
        return self._core.listing("GET", "/api/v1/admin/evaluations", (), {"limit": limit, "after": after, "before": before, "status": status}, min_log_position=min_log_position, timeout=timeout)

    async def report(self, *, from_: Optional[str] = None, to: Optional[str] = None, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> "t.EvaluationReport":
        """How often a person answered within the promised business day: GET /api/v1/admin/evaluations/report"""
        answer: "t.EvaluationReport" = await self._core.call("GET", "/api/v1/admin/evaluations/report", (), {"from": from_, "to": to}, min_log_position=min_log_position, timeout=timeout)
        return answer

    async def get(self, id: Union[str, int], *, min_log_position: Optional[str] = None, if_none_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.EvaluationWithNotes":
        """Get an evaluation with its notes: GET /api/v1/admin/evaluations/{id}"""
        answer: "t.EvaluationWithNotes" = await self._core.call("GET", "/api/v1/admin/evaluations/{id}", (id,), {}, min_log_position=min_log_position, if_none_match=if_none_match, timeout=timeout)
        return answer

    async def assign(self, id: Union[str, int], body: "t.AssignEvaluation", *, idempotency_key: Optional[str] = None, if_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.EvaluationWithNotes":
        """Give an evaluation to a contact; the visitor gets mail that names both: POST /api/v1/admin/evaluations/{id}/assign"""
        answer: "t.EvaluationWithNotes" = await self._core.call("POST", "/api/v1/admin/evaluations/{id}/assign", (id,), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, if_match=if_match, timeout=timeout)
        return answer

    async def note(self, id: Union[str, int], body: "t.NoteEvaluation", *, idempotency_key: Optional[str] = None, if_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.EvaluationWithNotes":
        """Write a note: POST /api/v1/admin/evaluations/{id}/note"""
        answer: "t.EvaluationWithNotes" = await self._core.call("POST", "/api/v1/admin/evaluations/{id}/note", (id,), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, if_match=if_match, timeout=timeout)
        return answer

    async def convert(self, id: Union[str, int], *, idempotency_key: Optional[str] = None, if_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.EvaluationWithNotes":
        """The visitor became a customer: POST /api/v1/admin/evaluations/{id}/convert"""
        answer: "t.EvaluationWithNotes" = await self._core.call("POST", "/api/v1/admin/evaluations/{id}/convert", (id,), {}, keyed=True, idempotency_key=idempotency_key, if_match=if_match, timeout=timeout)
        return answer

    async def close(self, id: Union[str, int], body: "t.CloseEvaluation", *, idempotency_key: Optional[str] = None, if_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.EvaluationWithNotes":
        """Close an evaluation; its tenant stays: POST /api/v1/admin/evaluations/{id}/close"""
        answer: "t.EvaluationWithNotes" = await self._core.call("POST", "/api/v1/admin/evaluations/{id}/close", (id,), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, if_match=if_match, timeout=timeout)
        return answer

    async def erase(self, id: Union[str, int], *, idempotency_key: Optional[str] = None, if_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.ErasedEvaluation":
        """Erase what the visitor wrote of a person and the team of the visitor, for ever: POST /api/v1/admin/evaluations/{id}/erase"""
        answer: "t.ErasedEvaluation" = await self._core.call("POST", "/api/v1/admin/evaluations/{id}/erase", (id,), {}, keyed=True, idempotency_key=idempotency_key, if_match=if_match, timeout=timeout)
        return answer


class AsyncOperationsAdminProjectionsRebuild:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core

    async def create(self, name: Union[str, int], body: "t.RequestRebuild", *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.RequestedRebuild":
        """Rebuild a read model from the log while it serves, or only compare: POST /api/v1/admin/projections/{name}/rebuild"""
        answer: "t.RequestedRebuild" = await self._core.call("POST", "/api/v1/admin/projections/{name}/rebuild", (name,), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer

    async def get(self, name: Union[str, int], id: Union[str, int], *, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> "t.Rebuild":
        """Progress and result of a rebuild: GET /api/v1/admin/projections/{name}/rebuild/{id}"""
        answer: "t.Rebuild" = await self._core.call("GET", "/api/v1/admin/projections/{name}/rebuild/{id}", (name, id,), {}, min_log_position=min_log_position, timeout=timeout)
        return answer

    async def cancel(self, name: Union[str, int], id: Union[str, int], *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.Rebuild":
        """End a rebuild that has not ended; what is served stays: POST /api/v1/admin/projections/{name}/rebuild/{id}/cancel"""
        answer: "t.Rebuild" = await self._core.call("POST", "/api/v1/admin/projections/{name}/rebuild/{id}/cancel", (name, id,), {}, keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer


class AsyncOperationsAdminProjections:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core
        self.rebuild = AsyncOperationsAdminProjectionsRebuild(core)

    async def list(self, *, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> "t.ProjectionList":
        """Every consumer: where it stands, how fast it goes, what went wrong: GET /api/v1/admin/projections"""
        answer: "t.ProjectionList" = await self._core.call("GET", "/api/v1/admin/projections", (), {}, min_log_position=min_log_position, timeout=timeout)
        return answer


class AsyncOperationsAdminDeadLetters:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core

    def list(self, *, limit: Optional[int] = None, after: Optional[str] = None, environment: Optional[Literal["live", "sandbox"]] = None, status: Optional[Literal["open", "retry", "resolved"]] = None, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> AsyncListing["t.DeadLetter"]:
        """Events that a consumer could not handle, newest first: GET /api/v1/admin/dead-letters"""
        return self._core.listing("GET", "/api/v1/admin/dead-letters", (), {"limit": limit, "after": after, "environment": environment, "status": status}, min_log_position=min_log_position, timeout=timeout)

    async def retry(self, id: Union[str, int], *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.DeadLetterRetry":
        """Hand an event to its consumer again: POST /api/v1/admin/dead-letters/{id}/retry"""
        answer: "t.DeadLetterRetry" = await self._core.call("POST", "/api/v1/admin/dead-letters/{id}/retry", (id,), {}, keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer


class AsyncOperationsAdmin:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core
        self.partners = AsyncOperationsAdminPartners(core)
        self.prices = AsyncOperationsAdminPrices(core)
        self.gateways = AsyncOperationsAdminGateways(core)
        self.routing = AsyncOperationsAdminRouting(core)
        self.sender_rules = AsyncOperationsAdminSenderRules(core)
        self.keys = AsyncOperationsAdminKeys(core)
        self.audit = AsyncOperationsAdminAudit(core)
        self.evaluations = AsyncOperationsAdminEvaluations(core)
        self.projections = AsyncOperationsAdminProjections(core)
        self.dead_letters = AsyncOperationsAdminDeadLetters(core)

    async def set_senders(self, body: "t.AssignSender", *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.Sender":
        """Say whose messages to one of a gateway's addresses are: PUT /api/v1/admin/senders"""
        answer: "t.Sender" = await self._core.call("PUT", "/api/v1/admin/senders", (), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer

    async def log(self, *, environment: Optional[Literal["live", "sandbox", "platform"]] = None, stream: Optional[str] = None, category: Optional[Literal["message", "receipts", "wallet", "topup", "terms", "hold", "template", "endpoint", "feed", "partner", "key", "gateway", "prices", "inbound", "external", "contact", "import", "conversation", "thread", "team", "presence", "session", "suppression", "agent", "login", "routing", "sender", "pool", "senderrules", "affinity", "clock", "sandbox", "audit", "evaluation", "rota", "callback", "unmatched", "broadcast", "moved", "file"]] = None, after: Optional[str] = None, before: Optional[str] = None, as_of: Optional[str] = None, limit: Optional[int] = None, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> "t.LogPage":
        """Read the log itself: everything, a stream or a category, now or as of a position: GET /api/v1/admin/log"""
        answer: "t.LogPage" = await self._core.call("GET", "/api/v1/admin/log", (), {"environment": environment, "stream": stream, "category": category, "after": after, "before": before, "as_of": as_of, "limit": limit}, min_log_position=min_log_position, timeout=timeout)
        return answer


class AsyncOperationsGateways:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core

    def list(self, *, limit: Optional[int] = None, after: Optional[str] = None, before: Optional[str] = None, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> AsyncListing["t.Gateway"]:
        """The gateways of this environment that may carry your messages, and how they do: GET /api/v1/gateways"""
        return self._core.listing("GET", "/api/v1/gateways", (), {"limit": limit, "after": after, "before": before}, min_log_position=min_log_position, timeout=timeout)


class AsyncOperationsRouting:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core

    async def explain(self, body: "t.ExplainRoute", *, timeout: Optional[float] = None) -> "t.ExplainedRoute":
        """Which gateway a message would take now, and why; sends nothing: POST /api/v1/routing/explain"""
        answer: "t.ExplainedRoute" = await self._core.call("POST", "/api/v1/routing/explain", (), {}, body=body, kind="json", timeout=timeout)
        return answer


class AsyncOperationsBacktests:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core

    async def create(self, body: "t.RequestBacktest", *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.BacktestSummary":
        """Try routing rules or prices on messages of the past; sends and appends nothing: POST /api/v1/backtests"""
        answer: "t.BacktestSummary" = await self._core.call("POST", "/api/v1/backtests", (), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer

    def list(self, *, limit: Optional[int] = None, after: Optional[str] = None, environment: Optional[Literal["live", "sandbox"]] = None, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> AsyncListing["t.BacktestSummary"]:
        """List backtests, newest first: GET /api/v1/backtests"""
        return self._core.listing("GET", "/api/v1/backtests", (), {"limit": limit, "after": after, "environment": environment}, min_log_position=min_log_position, timeout=timeout)

    async def get(self, id: Union[str, int], *, min_log_position: Optional[str] = None, if_none_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.Backtest":
        """Progress and result of a backtest: GET /api/v1/backtests/{id}"""
        answer: "t.Backtest" = await self._core.call("GET", "/api/v1/backtests/{id}", (id,), {}, min_log_position=min_log_position, if_none_match=if_none_match, timeout=timeout)
        return answer

    async def cancel(self, id: Union[str, int], *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.Backtest":
        """End a backtest that has not ended; what it came to so far stays: POST /api/v1/backtests/{id}/cancel"""
        answer: "t.Backtest" = await self._core.call("POST", "/api/v1/backtests/{id}/cancel", (id,), {}, keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer


class AsyncOperationsSandboxClock:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core

    async def advance(self, body: "t.AdvanceClock", *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.SandboxClock":
        """Set the clock of your sandbox forward: what becomes due on the way happens, in its order: POST /api/v1/sandbox/clock/advance"""
        answer: "t.SandboxClock" = await self._core.call("POST", "/api/v1/sandbox/clock/advance", (), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer


class AsyncOperationsSandbox:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core
        self.clock = AsyncOperationsSandboxClock(core)

    async def receipt(self, body: "t.SandboxReceipt", *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.AcceptedReceipt":
        """Report on a message as its provider would: in any order, as often as you like, and everything after it is as in live: POST /api/v1/sandbox/receipts"""
        answer: "t.AcceptedReceipt" = await self._core.call("POST", "/api/v1/sandbox/receipts", (), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer

    async def inbound(self, body: "t.SandboxInbound", *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.AcceptedInbound":
        """Write as a person would: the simulated provider posts it, and everything after it is as in live: POST /api/v1/sandbox/inbound"""
        answer: "t.AcceptedInbound" = await self._core.call("POST", "/api/v1/sandbox/inbound", (), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer

    async def reset(self, *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.SandboxReset":
        """Put your sandbox back to the beginning: a new, empty one with the same keys: POST /api/v1/sandbox/reset"""
        answer: "t.SandboxReset" = await self._core.call("POST", "/api/v1/sandbox/reset", (), {}, keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer


class AsyncOperationsCallbacks:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core

    async def create(self, gateway: Union[str, int], token: Union[str, int], body: bytes, *, content_type: str, timeout: Optional[float] = None) -> str:
        """What a gateway's provider tells by itself: stored as it came, once it is known to be the provider's: POST /api/v1/callbacks/{gateway}/{token}"""
        answer: str = await self._core.call("POST", "/api/v1/callbacks/{gateway}/{token}", (gateway, token,), {}, body=body, kind="bytes", content_type=content_type, timeout=timeout)
        return answer

    async def get(self, gateway: Union[str, int], token: Union[str, int], *, timeout: Optional[float] = None) -> str:
        """A provider's question whether somebody is there, where it asks one: GET /api/v1/callbacks/{gateway}/{token}"""
        answer: str = await self._core.call("GET", "/api/v1/callbacks/{gateway}/{token}", (gateway, token,), {}, timeout=timeout)
        return answer


class AsyncOperationsContactsByExternalId:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core

    async def get(self, source: Union[str, int], external_id: Union[str, int], *, min_log_position: Optional[str] = None, if_none_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.Contact":
        """Get the contact that has an external id now: GET /api/v1/contacts/by-external-id/{source}/{external_id}"""
        answer: "t.Contact" = await self._core.call("GET", "/api/v1/contacts/by-external-id/{source}/{external_id}", (source, external_id,), {}, min_log_position=min_log_position, if_none_match=if_none_match, timeout=timeout)
        return answer

    async def upsert(self, source: Union[str, int], external_id: Union[str, int], body: "t.ContactInput", *, idempotency_key: Optional[str] = None, if_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.Contact":
        """Create or update the contact that has an external id; what is left out stays: PUT /api/v1/contacts/by-external-id/{source}/{external_id}"""
        answer: "t.Contact" = await self._core.call("PUT", "/api/v1/contacts/by-external-id/{source}/{external_id}", (source, external_id,), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, if_match=if_match, timeout=timeout)
        return answer


class AsyncOperationsContactsExternalIds:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core

    async def create(self, id: Union[str, int], body: "t.ExternalIdInput", *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.ExternalId":
        """Give a contact one more external id: POST /api/v1/contacts/{id}/external-ids"""
        answer: "t.ExternalId" = await self._core.call("POST", "/api/v1/contacts/{id}/external-ids", (id,), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer

    async def delete(self, id: Union[str, int], source: Union[str, int], external_id: Union[str, int], *, idempotency_key: Optional[str] = None, if_match: Optional[str] = None, timeout: Optional[float] = None) -> None:
        """Take an external id from a contact, which frees it: DELETE /api/v1/contacts/{id}/external-ids/{source}/{external_id}"""
        await self._core.call("DELETE", "/api/v1/contacts/{id}/external-ids/{source}/{external_id}", (id, source, external_id,), {}, keyed=True, idempotency_key=idempotency_key, if_match=if_match, timeout=timeout)


class AsyncOperationsContactsConsents:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core

    async def create(self, id: Union[str, int], body: "t.RecordConsent", *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.Consent":
        """Record that a contact gave or withdrew a consent: POST /api/v1/contacts/{id}/consents"""
        answer: "t.Consent" = await self._core.call("POST", "/api/v1/contacts/{id}/consents", (id,), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer

    async def list(self, id: Union[str, int], *, as_of: Optional[str] = None, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> "t.ConsentList":
        """List the consents of a contact, all of them or those in force at a time: GET /api/v1/contacts/{id}/consents"""
        answer: "t.ConsentList" = await self._core.call("GET", "/api/v1/contacts/{id}/consents", (id,), {"as_of": as_of}, min_log_position=min_log_position, timeout=timeout)
        return answer


class AsyncOperationsContactsMessages:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core

    def list(self, id: Union[str, int], *, limit: Optional[int] = None, after: Optional[str] = None, before: Optional[str] = None, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> AsyncListing["t.ConversationMessage"]:
        """What was said with a contact, over all channels and both directions, newest first: GET /api/v1/contacts/{id}/messages"""
        return self._core.listing("GET", "/api/v1/contacts/{id}/messages", (id,), {"limit": limit, "after": after, "before": before}, min_log_position=min_log_position, timeout=timeout)


class AsyncOperationsContacts:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core
        self.by_external_id = AsyncOperationsContactsByExternalId(core)
        self.external_ids = AsyncOperationsContactsExternalIds(core)
        self.consents = AsyncOperationsContactsConsents(core)
        self.messages = AsyncOperationsContactsMessages(core)

    def list(self, *, limit: Optional[int] = None, after: Optional[str] = None, before: Optional[str] = None, q: Optional[str] = None, source: Optional[str] = None, external_id: Optional[str] = None, tag: Optional[str] = None, updated_from: Optional[str] = None, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> AsyncListing["t.Contact"]:
        """List and search contacts, newest first: GET /api/v1/contacts"""
        return self._core.listing("GET", "/api/v1/contacts", (), {"limit": limit, "after": after, "before": before, "q": q, "source": source, "external_id": external_id, "tag": tag, "updated_from": updated_from}, min_log_position=min_log_position, timeout=timeout)

    async def create(self, body: "t.ContactInput", *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.Contact":
        """Create a contact: POST /api/v1/contacts"""
        answer: "t.Contact" = await self._core.call("POST", "/api/v1/contacts", (), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer

    async def export(self, *, format: Optional[Literal["csv", "ndjson"]] = None, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> str:
        """Get all contacts as a file that an import takes: GET /api/v1/contacts/export"""
        answer: str = await self._core.call("GET", "/api/v1/contacts/export", (), {"format": format}, min_log_position=min_log_position, timeout=timeout)
        return answer

    async def get(self, id: Union[str, int], *, as_of: Optional[str] = None, min_log_position: Optional[str] = None, if_none_match: Optional[str] = None, timeout: Optional[float] = None) -> Union["t.Contact", "t.MergedContact"]:
        """Get a contact, or what a merged one is part of; now or as of an earlier position or time: GET /api/v1/contacts/{id}"""
        answer: Union["t.Contact", "t.MergedContact"] = await self._core.call("GET", "/api/v1/contacts/{id}", (id,), {"as_of": as_of}, min_log_position=min_log_position, if_none_match=if_none_match, timeout=timeout)
        return answer

    async def update(self, id: Union[str, int], body: "t.ContactPatch", *, idempotency_key: Optional[str] = None, if_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.Contact":
        """Change a contact by a JSON Merge Patch: PATCH /api/v1/contacts/{id}"""
        answer: "t.Contact" = await self._core.call("PATCH", "/api/v1/contacts/{id}", (id,), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, if_match=if_match, timeout=timeout)
        return answer

    async def erase(self, id: Union[str, int], *, idempotency_key: Optional[str] = None, if_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.ErasureRequested":
        """Erase a contact: its keys are destroyed, and what they sealed is unreadable for ever: DELETE /api/v1/contacts/{id}"""
        answer: "t.ErasureRequested" = await self._core.call("DELETE", "/api/v1/contacts/{id}", (id,), {}, keyed=True, idempotency_key=idempotency_key, if_match=if_match, timeout=timeout)
        return answer

    async def merges(self, id: Union[str, int], *, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> "t.LastingMergeList":
        """List the contacts that are part of a contact, each with the merge that an unmerge undoes: GET /api/v1/contacts/{id}/merges"""
        answer: "t.LastingMergeList" = await self._core.call("GET", "/api/v1/contacts/{id}/merges", (id,), {}, min_log_position=min_log_position, timeout=timeout)
        return answer

    async def merge(self, id: Union[str, int], body: "t.MergeContact", *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.ContactMerge":
        """Merge a contact into another one, or see what that would do: POST /api/v1/contacts/{id}/merge"""
        answer: "t.ContactMerge" = await self._core.call("POST", "/api/v1/contacts/{id}/merge", (id,), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer

    async def unmerge(self, id: Union[str, int], body: "t.UnmergeContact", *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.UnmergedContacts":
        """Undo a merge; changes made since stay with the survivor: POST /api/v1/contacts/{id}/unmerge"""
        answer: "t.UnmergedContacts" = await self._core.call("POST", "/api/v1/contacts/{id}/unmerge", (id,), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer

    async def erasure(self, id: Union[str, int], *, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> "t.ContactErasure":
        """How far an erasure is, and its signed certificate: GET /api/v1/contacts/{id}/erasure"""
        answer: "t.ContactErasure" = await self._core.call("GET", "/api/v1/contacts/{id}/erasure", (id,), {}, min_log_position=min_log_position, timeout=timeout)
        return answer

    async def duplicates(self, id: Union[str, int], *, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> "t.DuplicateContactList":
        """List contacts that may be the same person, the likeliest first: GET /api/v1/contacts/{id}/duplicates"""
        answer: "t.DuplicateContactList" = await self._core.call("GET", "/api/v1/contacts/{id}/duplicates", (id,), {}, min_log_position=min_log_position, timeout=timeout)
        return answer


class AsyncOperationsContactImports:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core

    async def create(self, body: bytes, *, content_type: str, on_conflict: Optional[Literal["update", "skip", "fail"]] = None, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.AcceptedImport":
        """Import contacts from a file: POST /api/v1/contact-imports"""
        answer: "t.AcceptedImport" = await self._core.call("POST", "/api/v1/contact-imports", (), {"on_conflict": on_conflict}, body=body, kind="bytes", content_type=content_type, keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer

    async def get(self, id: Union[str, int], *, min_log_position: Optional[str] = None, if_none_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.ContactImport":
        """Get how far an import is: GET /api/v1/contact-imports/{id}"""
        answer: "t.ContactImport" = await self._core.call("GET", "/api/v1/contact-imports/{id}", (id,), {}, min_log_position=min_log_position, if_none_match=if_none_match, timeout=timeout)
        return answer

    async def errors(self, id: Union[str, int], *, format: Optional[Literal["csv", "ndjson"]] = None, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> str:
        """Get what was wrong with rows of an import, as a file: GET /api/v1/contact-imports/{id}/errors"""
        answer: str = await self._core.call("GET", "/api/v1/contact-imports/{id}/errors", (id,), {"format": format}, min_log_position=min_log_position, timeout=timeout)
        return answer


class AsyncOperationsSuppressions:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core

    def list(self, *, limit: Optional[int] = None, after: Optional[str] = None, before: Optional[str] = None, to: Optional[str] = None, channel: Optional[Literal["sms", "whatsapp", "email", "push", "telegram", "broadcast"]] = None, active: Optional[bool] = None, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> AsyncListing["t.Suppression"]:
        """List suppressions, newest first: GET /api/v1/suppressions"""
        return self._core.listing("GET", "/api/v1/suppressions", (), {"limit": limit, "after": after, "before": before, "to": to, "channel": channel, "active": active}, min_log_position=min_log_position, timeout=timeout)

    async def add(self, body: "t.CreateSuppression", *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.Suppression":
        """Send nothing to a recipient from now on: POST /api/v1/suppressions"""
        answer: "t.Suppression" = await self._core.call("POST", "/api/v1/suppressions", (), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer

    async def get(self, id: Union[str, int], *, as_of: Optional[str] = None, min_log_position: Optional[str] = None, if_none_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.Suppression":
        """Get a suppression, now or as of an earlier position or time: GET /api/v1/suppressions/{id}"""
        answer: "t.Suppression" = await self._core.call("GET", "/api/v1/suppressions/{id}", (id,), {"as_of": as_of}, min_log_position=min_log_position, if_none_match=if_none_match, timeout=timeout)
        return answer

    async def remove(self, id: Union[str, int], *, idempotency_key: Optional[str] = None, if_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.Suppression":
        """End a suppression, whatever began it: DELETE /api/v1/suppressions/{id}"""
        answer: "t.Suppression" = await self._core.call("DELETE", "/api/v1/suppressions/{id}", (id,), {}, keyed=True, idempotency_key=idempotency_key, if_match=if_match, timeout=timeout)
        return answer


class AsyncOperationsUnsubscribe:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core

    async def get(self, token: Union[str, int], *, timeout: Optional[float] = None) -> str:
        """Ask the recipient of a mail whether to unsubscribe; changes nothing: GET /api/v1/unsubscribe/{token}"""
        answer: str = await self._core.call("GET", "/api/v1/unsubscribe/{token}", (token,), {}, timeout=timeout)
        return answer

    async def create(self, token: Union[str, int], body: bytes, *, content_type: str, timeout: Optional[float] = None) -> str:
        """Unsubscribe the recipient of a mail from marketing, with one click (RFC 8058): POST /api/v1/unsubscribe/{token}"""
        answer: str = await self._core.call("POST", "/api/v1/unsubscribe/{token}", (token,), {}, body=body, kind="bytes", content_type=content_type, timeout=timeout)
        return answer


class AsyncOperationsAgents:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core

    async def create(self, body: "t.CreateAgent", *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.Agent":
        """Make an agent, or invite one: POST /api/v1/agents"""
        answer: "t.Agent" = await self._core.call("POST", "/api/v1/agents", (), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer

    def list(self, *, limit: Optional[int] = None, after: Optional[str] = None, before: Optional[str] = None, status: Optional[str] = None, role: Optional[str] = None, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> AsyncListing["t.Agent"]:
        """List the agents of this environment, oldest first: GET /api/v1/agents"""
        return self._core.listing("GET", "/api/v1/agents", (), {"limit": limit, "after": after, "before": before, "status": status, "role": role}, min_log_position=min_log_position, timeout=timeout)

    async def get(self, id: Union[str, int], *, min_log_position: Optional[str] = None, if_none_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.Agent":
        """Read an agent: GET /api/v1/agents/{id}"""
        answer: "t.Agent" = await self._core.call("GET", "/api/v1/agents/{id}", (id,), {}, min_log_position=min_log_position, if_none_match=if_none_match, timeout=timeout)
        return answer

    async def update(self, id: Union[str, int], body: "t.PatchAgent", *, idempotency_key: Optional[str] = None, if_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.Agent":
        """Change an agent: PATCH /api/v1/agents/{id}"""
        answer: "t.Agent" = await self._core.call("PATCH", "/api/v1/agents/{id}", (id,), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, if_match=if_match, timeout=timeout)
        return answer

    async def disable(self, id: Union[str, int], *, idempotency_key: Optional[str] = None, if_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.Agent":
        """Shut an agent out, and give back what the agent had: POST /api/v1/agents/{id}/disable"""
        answer: "t.Agent" = await self._core.call("POST", "/api/v1/agents/{id}/disable", (id,), {}, keyed=True, idempotency_key=idempotency_key, if_match=if_match, timeout=timeout)
        return answer

    async def invitation(self, id: Union[str, int], *, idempotency_key: Optional[str] = None, if_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.Agent":
        """Send an agent's invitation again; earlier links end: POST /api/v1/agents/{id}/invitation"""
        answer: "t.Agent" = await self._core.call("POST", "/api/v1/agents/{id}/invitation", (id,), {}, keyed=True, idempotency_key=idempotency_key, if_match=if_match, timeout=timeout)
        return answer

    async def delete_totp(self, id: Union[str, int], *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> None:
        """Turn an agent's codes off; every session of the agent ends: DELETE /api/v1/agents/{id}/totp"""
        await self._core.call("DELETE", "/api/v1/agents/{id}/totp", (id,), {}, keyed=True, idempotency_key=idempotency_key, timeout=timeout)

    async def set_presence(self, id: Union[str, int], body: "t.SetPresence", *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.Presence":
        """Say whether an agent is there: PUT /api/v1/agents/{id}/presence"""
        answer: "t.Presence" = await self._core.call("PUT", "/api/v1/agents/{id}/presence", (id,), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer


class AsyncOperationsTeams:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core

    async def create(self, body: "t.CreateTeam", *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.Team":
        """Make a team: POST /api/v1/teams"""
        answer: "t.Team" = await self._core.call("POST", "/api/v1/teams", (), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer

    def list(self, *, limit: Optional[int] = None, after: Optional[str] = None, before: Optional[str] = None, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> AsyncListing["t.Team"]:
        """List teams, newest first: GET /api/v1/teams"""
        return self._core.listing("GET", "/api/v1/teams", (), {"limit": limit, "after": after, "before": before}, min_log_position=min_log_position, timeout=timeout)

    async def get(self, id: Union[str, int], *, as_of: Optional[str] = None, min_log_position: Optional[str] = None, if_none_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.Team":
        """Get a team, now or as of an earlier position or time: GET /api/v1/teams/{id}"""
        answer: "t.Team" = await self._core.call("GET", "/api/v1/teams/{id}", (id,), {"as_of": as_of}, min_log_position=min_log_position, if_none_match=if_none_match, timeout=timeout)
        return answer

    async def update(self, id: Union[str, int], body: "t.PatchTeam", *, idempotency_key: Optional[str] = None, if_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.Team":
        """Change a team: what is left out stays, null takes it away: PATCH /api/v1/teams/{id}"""
        answer: "t.Team" = await self._core.call("PATCH", "/api/v1/teams/{id}", (id,), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, if_match=if_match, timeout=timeout)
        return answer

    async def delete(self, id: Union[str, int], *, idempotency_key: Optional[str] = None, if_match: Optional[str] = None, timeout: Optional[float] = None) -> None:
        """Delete a team; its conversations keep their agents: DELETE /api/v1/teams/{id}"""
        await self._core.call("DELETE", "/api/v1/teams/{id}", (id,), {}, keyed=True, idempotency_key=idempotency_key, if_match=if_match, timeout=timeout)


class AsyncOperationsMeTotp:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core

    async def create(self, body: "t.SetUpTotp", *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.OfferedTotp":
        """Begin to set up codes for signing in: POST /api/v1/me/totp"""
        answer: "t.OfferedTotp" = await self._core.call("POST", "/api/v1/me/totp", (), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer

    async def delete(self, body: "t.TurnOffTotp", *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> None:
        """Turn codes off: signing in takes the password alone: DELETE /api/v1/me/totp"""
        await self._core.call("DELETE", "/api/v1/me/totp", (), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, timeout=timeout)

    async def confirm(self, body: "t.ConfirmTotp", *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> None:
        """Set codes up with the first one: POST /api/v1/me/totp/confirm"""
        await self._core.call("POST", "/api/v1/me/totp/confirm", (), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, timeout=timeout)


class AsyncOperationsMe:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core
        self.totp = AsyncOperationsMeTotp(core)

    async def get(self, *, min_log_position: Optional[str] = None, if_none_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.Me":
        """Who is signed in: GET /api/v1/me"""
        answer: "t.Me" = await self._core.call("GET", "/api/v1/me", (), {}, min_log_position=min_log_position, if_none_match=if_none_match, timeout=timeout)
        return answer

    async def set_password(self, body: "t.ChangePassword", *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> None:
        """Change your password; your other sessions end: PUT /api/v1/me/password"""
        await self._core.call("PUT", "/api/v1/me/password", (), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, timeout=timeout)


class AsyncOperationsInvitations:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core

    async def accept(self, body: "t.AcceptInvitation", *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.Agent":
        """Accept an invitation: choose a password: POST /api/v1/invitations/accept"""
        answer: "t.Agent" = await self._core.call("POST", "/api/v1/invitations/accept", (), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer


class AsyncOperationsPasswordResets:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core

    async def create(self, body: "t.AskPasswordReset", *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.PasswordResetRequested":
        """Ask for another password; the answer is the same for every address: POST /api/v1/password-resets"""
        answer: "t.PasswordResetRequested" = await self._core.call("POST", "/api/v1/password-resets", (), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer

    async def confirm(self, body: "t.ConfirmPasswordReset", *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> None:
        """Choose another password; every session of the agent ends: POST /api/v1/password-resets/confirm"""
        await self._core.call("POST", "/api/v1/password-resets/confirm", (), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, timeout=timeout)


class AsyncOperationsMobileSessions:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core

    async def create(self, body: "t.SignIn", *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.IssuedSession":
        """Sign in: POST /api/v1/mobile/sessions"""
        answer: "t.IssuedSession" = await self._core.call("POST", "/api/v1/mobile/sessions", (), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer

    def list(self, *, limit: Optional[int] = None, after: Optional[str] = None, before: Optional[str] = None, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> AsyncListing["t.Session"]:
        """List your sessions in this environment, oldest first: GET /api/v1/mobile/sessions"""
        return self._core.listing("GET", "/api/v1/mobile/sessions", (), {"limit": limit, "after": after, "before": before}, min_log_position=min_log_position, timeout=timeout)

    async def refresh(self, body: "t.RefreshSession", *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.IssuedSession":
        """Get a session's next tokens: POST /api/v1/mobile/sessions/refresh"""
        answer: "t.IssuedSession" = await self._core.call("POST", "/api/v1/mobile/sessions/refresh", (), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer

    async def switch(self, body: "t.SwitchSession", *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.IssuedSession":
        """Begin a session of the same device in the other environment: POST /api/v1/mobile/sessions/switch"""
        answer: "t.IssuedSession" = await self._core.call("POST", "/api/v1/mobile/sessions/switch", (), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer

    async def delete(self, id: Union[str, int], *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> None:
        """Sign a session out: DELETE /api/v1/mobile/sessions/{id}"""
        await self._core.call("DELETE", "/api/v1/mobile/sessions/{id}", (id,), {}, keyed=True, idempotency_key=idempotency_key, timeout=timeout)


class AsyncOperationsMobileDevices:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core

    async def create(self, body: Mapping[str, Any], *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.Device":
        """Registers this device for push; a token of another agent becomes this one's: POST /api/v1/mobile/devices"""
        answer: "t.Device" = await self._core.call("POST", "/api/v1/mobile/devices", (), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer

    def list(self, *, limit: Optional[int] = None, after: Optional[str] = None, before: Optional[str] = None, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> AsyncListing["t.Device"]:
        """Your devices: GET /api/v1/mobile/devices"""
        return self._core.listing("GET", "/api/v1/mobile/devices", (), {"limit": limit, "after": after, "before": before}, min_log_position=min_log_position, timeout=timeout)

    async def delete(self, id: Union[str, int], *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> None:
        """Ends push to a device and destroys its token: DELETE /api/v1/mobile/devices/{id}"""
        await self._core.call("DELETE", "/api/v1/mobile/devices/{id}", (id,), {}, keyed=True, idempotency_key=idempotency_key, timeout=timeout)


class AsyncOperationsMobile:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core
        self.sessions = AsyncOperationsMobileSessions(core)
        self.devices = AsyncOperationsMobileDevices(core)

    async def pushes(self, *, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> "t.PushList":
        """What was pushed to your devices in the last day, and what became of it: GET /api/v1/mobile/pushes"""
        answer: "t.PushList" = await self._core.call("GET", "/api/v1/mobile/pushes", (), {}, min_log_position=min_log_position, timeout=timeout)
        return answer

    async def sync(self, *, after: Optional[int] = None, limit: Optional[int] = None, wait: Optional[int] = None, min_log_position: Optional[str] = None, if_none_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.MobileSync":
        """What changed for you since: conversations, messages, and what you lost: GET /api/v1/mobile/sync"""
        answer: "t.MobileSync" = await self._core.call("GET", "/api/v1/mobile/sync", (), {"after": after, "limit": limit, "wait": wait}, min_log_position=min_log_position, if_none_match=if_none_match, timeout=timeout)
        return answer


class AsyncOperationsAttachments:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core

    async def create(self, body: bytes, *, content_type: str, name: Optional[str] = None, contact_id: Optional[str] = None, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.Attachment":
        """Stores a file of at most 10 MB, sent as it is: POST /api/v1/attachments"""
        answer: "t.Attachment" = await self._core.call("POST", "/api/v1/attachments", (), {"name": name, "contact_id": contact_id}, body=body, kind="bytes", content_type=content_type, keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer

    async def get(self, id: Union[str, int], *, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> "t.Attachment":
        """An attachment, with a link to its content: GET /api/v1/attachments/{id}"""
        answer: "t.Attachment" = await self._core.call("GET", "/api/v1/attachments/{id}", (id,), {}, min_log_position=min_log_position, timeout=timeout)
        return answer

    async def delete(self, id: Union[str, int], *, even_if_sent: Optional[bool] = None, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> None:
        """Destroys an attachment: DELETE /api/v1/attachments/{id}"""
        await self._core.call("DELETE", "/api/v1/attachments/{id}", (id,), {"even_if_sent": even_if_sent}, keyed=True, idempotency_key=idempotency_key, timeout=timeout)

    async def content(self, id: Union[str, int], *, environment: Literal["live", "sandbox"], expires: str, signature: str, timeout: Optional[float] = None) -> bytes:
        """The file, by the link of its attachment: GET /api/v1/attachments/{id}/content"""
        answer: bytes = await self._core.call("GET", "/api/v1/attachments/{id}/content", (id,), {"environment": environment, "expires": expires, "signature": signature}, timeout=timeout)
        return answer


class AsyncOperationsUsage:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core

    def list(self, *, after: Optional[str] = None, from_: Optional[str] = None, to: Optional[str] = None, group_by: Optional[Union[str, Sequence[str]]] = None, limit: Optional[int] = None, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> AsyncListing["t.UsageRow"]:
        """Count what was sent, what became of it and what it cost: GET /api/v1/usage"""
        return self._core.listing("GET", "/api/v1/usage", (), {"after": after, "from": from_, "to": to, "group_by": group_by, "limit": limit}, min_log_position=min_log_position, timeout=timeout)


class AsyncOperationsEvents:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core

    async def page(self, *, after: Optional[int] = None, consumer: Optional[str] = None, limit: Optional[int] = None, types: Optional[Union[str, Sequence[str]]] = None, filters: Optional[str] = None, wait: Optional[float] = None, before: Optional[int] = None, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> "t.LifecycleEventPage":
        """The feed of lifecycle events, oldest first, resumable from the beginning: GET /api/v1/events"""
        answer: "t.LifecycleEventPage" = await self._core.call("GET", "/api/v1/events", (), {"after": after, "consumer": consumer, "limit": limit, "types": types, "filters": filters, "wait": wait, "before": before}, min_log_position=min_log_position, timeout=timeout)
        return answer

    def stream(self, *, after: Optional[int] = None, consumer: Optional[str] = None, types: Optional[Union[str, Sequence[str]]] = None, filters: Optional[str] = None, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> AsyncIterator["t.LifecycleEvent"]:
        """The same feed as server-sent events; resumes behind Last-Event-ID, else where its consumer has committed: GET /api/v1/events/stream"""
        return self._core.stream(after=after, types=types, consumer=consumer, filters=filters, timeout=timeout)


class AsyncOperationsEventConsumers:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core

    async def list(self, *, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> "t.FeedConsumers":
        """List the readers of the feed whose cursor is kept here, each with its lag: GET /api/v1/event-consumers"""
        answer: "t.FeedConsumers" = await self._core.call("GET", "/api/v1/event-consumers", (), {}, min_log_position=min_log_position, timeout=timeout)
        return answer

    async def get(self, name: Union[str, int], *, min_log_position: Optional[str] = None, if_none_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.FeedConsumer":
        """Get where a reader of the feed is: GET /api/v1/event-consumers/{name}"""
        answer: "t.FeedConsumer" = await self._core.call("GET", "/api/v1/event-consumers/{name}", (name,), {}, min_log_position=min_log_position, if_none_match=if_none_match, timeout=timeout)
        return answer

    async def delete(self, name: Union[str, int], *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> None:
        """Forget a reader of the feed and its cursor: DELETE /api/v1/event-consumers/{name}"""
        await self._core.call("DELETE", "/api/v1/event-consumers/{name}", (name,), {}, keyed=True, idempotency_key=idempotency_key, timeout=timeout)

    async def commit(self, name: Union[str, int], body: "t.FeedCursor", *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.FeedConsumer":
        """Say that a reader has handled every event up to one; never moves it back: POST /api/v1/event-consumers/{name}/commit"""
        answer: "t.FeedConsumer" = await self._core.call("POST", "/api/v1/event-consumers/{name}/commit", (name,), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer

    async def reset(self, name: Union[str, int], body: "t.FeedCursor", *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.FeedConsumer":
        """Let a reader of the feed go on behind any event, an earlier one too; 0: from the first: POST /api/v1/event-consumers/{name}/reset"""
        answer: "t.FeedConsumer" = await self._core.call("POST", "/api/v1/event-consumers/{name}/reset", (name,), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer


class AsyncOperationsRootEvaluationsAccess:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core

    async def get(self, token: Union[str, int], *, timeout: Optional[float] = None) -> str:
        """The page of a link that shows a sandbox key; opening it spends nothing: GET /evaluations/access/{token}"""
        answer: str = await self._core.call("GET", "/evaluations/access/{token}", (token,), {}, timeout=timeout)
        return answer

    async def create(self, token: Union[str, int], body: Mapping[str, str], *, timeout: Optional[float] = None) -> str:
        """Show the sandbox key of a link, once; a minute long again to the same press: POST /evaluations/access/{token}"""
        answer: str = await self._core.call("POST", "/evaluations/access/{token}", (token,), {}, body=body, kind="form", timeout=timeout)
        return answer


class AsyncOperationsRootEvaluationsTake:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core

    async def get(self, token: Union[str, int], *, timeout: Optional[float] = None) -> str:
        """The page of the team's link to an evaluation: GET /evaluations/take/{token}"""
        answer: str = await self._core.call("GET", "/evaluations/take/{token}", (token,), {}, timeout=timeout)
        return answer

    async def create(self, token: Union[str, int], body: Mapping[str, str], *, timeout: Optional[float] = None) -> str:
        """Take an evaluation by the team's link: the first who comes: POST /evaluations/take/{token}"""
        answer: str = await self._core.call("POST", "/evaluations/take/{token}", (token,), {}, body=body, kind="form", timeout=timeout)
        return answer


class AsyncOperationsRootEvaluations:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core
        self.access = AsyncOperationsRootEvaluationsAccess(core)
        self.take = AsyncOperationsRootEvaluationsTake(core)


class AsyncOperationsRoot:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core
        self.evaluations = AsyncOperationsRootEvaluations(core)

    async def asyncapi_json(self, *, timeout: Optional[float] = None) -> Mapping[str, Any]:
        """The AsyncAPI document of the public topics: GET /asyncapi.json"""
        answer: Mapping[str, Any] = await self._core.call("GET", "/asyncapi.json", (), {}, timeout=timeout)
        return answer

    async def healthz(self, *, timeout: Optional[float] = None) -> "t.ServiceStatus":
        """Whether the process is alive: GET /healthz"""
        answer: "t.ServiceStatus" = await self._core.call("GET", "/healthz", (), {}, timeout=timeout)
        return answer

    async def readyz(self, *, timeout: Optional[float] = None) -> "t.ServiceStatus":
        """Whether the process is ready for requests; 503 while it is not: GET /readyz"""
        answer: "t.ServiceStatus" = await self._core.call("GET", "/readyz", (), {}, timeout=timeout)
        return answer

    async def metrics(self, *, timeout: Optional[float] = None) -> str:
        """Metrics in the text format of Prometheus; as OpenMetrics, with traces as exemplars, where `Accept` prefers that: GET /metrics"""
        answer: str = await self._core.call("GET", "/metrics", (), {}, timeout=timeout)
        return answer


class AsyncOperationsWebhookEndpointsDeliveries:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core

    def list(self, id: Union[str, int], *, limit: Optional[int] = None, after: Optional[str] = None, before: Optional[str] = None, status: Optional[Literal["pending", "delivered", "failed", "discarded"]] = None, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> AsyncListing["t.WebhookDelivery"]:
        """List an endpoint's deliveries with every attempt, newest first: GET /api/v1/webhook-endpoints/{id}/deliveries"""
        return self._core.listing("GET", "/api/v1/webhook-endpoints/{id}/deliveries", (id,), {"limit": limit, "after": after, "before": before, "status": status}, min_log_position=min_log_position, timeout=timeout)


class AsyncOperationsWebhookEndpointsReplay:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core

    async def create(self, id: Union[str, int], body: "t.StartWebhookReplay", *, idempotency_key: Optional[str] = None, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> "t.WebhookReplay":
        """Try again every delivery that matches, by default what was not delivered: POST /api/v1/webhook-endpoints/{id}/replay"""
        answer: "t.WebhookReplay" = await self._core.call("POST", "/api/v1/webhook-endpoints/{id}/replay", (id,), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, min_log_position=min_log_position, timeout=timeout)
        return answer

    async def get(self, id: Union[str, int], replay: Union[str, int], *, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> "t.WebhookReplayProgress":
        """How far a replay is: GET /api/v1/webhook-endpoints/{id}/replay/{replay}"""
        answer: "t.WebhookReplayProgress" = await self._core.call("GET", "/api/v1/webhook-endpoints/{id}/replay/{replay}", (id, replay,), {}, min_log_position=min_log_position, timeout=timeout)
        return answer

    async def cancel(self, id: Union[str, int], replay: Union[str, int], *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.CanceledWebhookReplay":
        """Cancel a replay: what was not sent yet is not sent: POST /api/v1/webhook-endpoints/{id}/replay/{replay}/cancel"""
        answer: "t.CanceledWebhookReplay" = await self._core.call("POST", "/api/v1/webhook-endpoints/{id}/replay/{replay}/cancel", (id, replay,), {}, keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer


class AsyncOperationsWebhookEndpoints:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core
        self.deliveries = AsyncOperationsWebhookEndpointsDeliveries(core)
        self.replay = AsyncOperationsWebhookEndpointsReplay(core)

    async def create(self, body: "t.CreateWebhookEndpoint", *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.CreatedWebhookEndpoint":
        """Add a webhook endpoint: POST /api/v1/webhook-endpoints"""
        answer: "t.CreatedWebhookEndpoint" = await self._core.call("POST", "/api/v1/webhook-endpoints", (), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer

    def list(self, *, limit: Optional[int] = None, after: Optional[str] = None, before: Optional[str] = None, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> AsyncListing["t.WebhookEndpoint"]:
        """List webhook endpoints, oldest first: GET /api/v1/webhook-endpoints"""
        return self._core.listing("GET", "/api/v1/webhook-endpoints", (), {"limit": limit, "after": after, "before": before}, min_log_position=min_log_position, timeout=timeout)

    async def get(self, id: Union[str, int], *, as_of: Optional[str] = None, min_log_position: Optional[str] = None, if_none_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.WebhookEndpoint":
        """Get a webhook endpoint, now or as of an earlier position or time: GET /api/v1/webhook-endpoints/{id}"""
        answer: "t.WebhookEndpoint" = await self._core.call("GET", "/api/v1/webhook-endpoints/{id}", (id,), {"as_of": as_of}, min_log_position=min_log_position, if_none_match=if_none_match, timeout=timeout)
        return answer

    async def update(self, id: Union[str, int], body: "t.UpdateWebhookEndpoint", *, idempotency_key: Optional[str] = None, if_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.WebhookEndpoint":
        """Change a webhook endpoint; what is left out stays: PATCH /api/v1/webhook-endpoints/{id}"""
        answer: "t.WebhookEndpoint" = await self._core.call("PATCH", "/api/v1/webhook-endpoints/{id}", (id,), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, if_match=if_match, timeout=timeout)
        return answer

    async def delete(self, id: Union[str, int], *, idempotency_key: Optional[str] = None, if_match: Optional[str] = None, timeout: Optional[float] = None) -> None:
        """Remove a webhook endpoint: DELETE /api/v1/webhook-endpoints/{id}"""
        await self._core.call("DELETE", "/api/v1/webhook-endpoints/{id}", (id,), {}, keyed=True, idempotency_key=idempotency_key, if_match=if_match, timeout=timeout)

    async def enable(self, id: Union[str, int], *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.WebhookEndpoint":
        """Enable a webhook endpoint again: POST /api/v1/webhook-endpoints/{id}/enable"""
        answer: "t.WebhookEndpoint" = await self._core.call("POST", "/api/v1/webhook-endpoints/{id}/enable", (id,), {}, keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer

    async def secret(self, id: Union[str, int], *, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> "t.WebhookSecret":
        """Show the secret that signs: GET /api/v1/webhook-endpoints/{id}/secret"""
        answer: "t.WebhookSecret" = await self._core.call("GET", "/api/v1/webhook-endpoints/{id}/secret", (id,), {}, min_log_position=min_log_position, timeout=timeout)
        return answer

    async def rotate_secret(self, id: Union[str, int], body: "t.RotateWebhookSecret", *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.RotatedWebhookSecret":
        """Make a new secret; the old one signs too until the overlap ends: POST /api/v1/webhook-endpoints/{id}/rotate-secret"""
        answer: "t.RotatedWebhookSecret" = await self._core.call("POST", "/api/v1/webhook-endpoints/{id}/rotate-secret", (id,), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer

    async def test(self, id: Union[str, int], body: "t.WebhookTestRequest", *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.WebhookTest":
        """Send a made-up event to a webhook endpoint: POST /api/v1/webhook-endpoints/{id}/test"""
        answer: "t.WebhookTest" = await self._core.call("POST", "/api/v1/webhook-endpoints/{id}/test", (id,), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer

    async def statistics(self, id: Union[str, int], *, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> "t.WebhookStatistics":
        """Get how an endpoint answers: success, duration and errors over fixed windows, and what waits: GET /api/v1/webhook-endpoints/{id}/statistics"""
        answer: "t.WebhookStatistics" = await self._core.call("GET", "/api/v1/webhook-endpoints/{id}/statistics", (id,), {}, min_log_position=min_log_position, timeout=timeout)
        return answer


class AsyncOperationsWebhookDeliveries:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core

    def list(self, *, limit: Optional[int] = None, after: Optional[str] = None, before: Optional[str] = None, status: Optional[Literal["pending", "delivered", "failed", "discarded"]] = None, event_id: Optional[str] = None, message_id: Optional[str] = None, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> AsyncListing["t.WebhookDelivery"]:
        """List what was delivered of one event or of one message, to any endpoint, newest first: GET /api/v1/webhook-deliveries"""
        return self._core.listing("GET", "/api/v1/webhook-deliveries", (), {"limit": limit, "after": after, "before": before, "status": status, "event_id": event_id, "message_id": message_id}, min_log_position=min_log_position, timeout=timeout)

    async def retry(self, id: Union[str, int], *, idempotency_key: Optional[str] = None, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> "t.WebhookRetry":
        """Try one delivery again: POST /api/v1/webhook-deliveries/{id}/retry"""
        answer: "t.WebhookRetry" = await self._core.call("POST", "/api/v1/webhook-deliveries/{id}/retry", (id,), {}, keyed=True, idempotency_key=idempotency_key, min_log_position=min_log_position, timeout=timeout)
        return answer

    async def get(self, id: Union[str, int], *, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> "t.WebhookDeliveryWithRequest":
        """Get a delivery with its attempts and the request that is sent: GET /api/v1/webhook-deliveries/{id}"""
        answer: "t.WebhookDeliveryWithRequest" = await self._core.call("GET", "/api/v1/webhook-deliveries/{id}", (id,), {}, min_log_position=min_log_position, timeout=timeout)
        return answer


class AsyncOperationsPrices:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core

    async def standard(self, *, timeout: Optional[float] = None) -> "t.PriceList":
        """What messages cost a partner who has no list of its own: GET /api/v1/prices/standard"""
        answer: "t.PriceList" = await self._core.call("GET", "/api/v1/prices/standard", (), {}, timeout=timeout)
        return answer

    async def get(self, *, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> "t.PriceList":
        """What messages cost: GET /api/v1/prices"""
        answer: "t.PriceList" = await self._core.call("GET", "/api/v1/prices", (), {}, min_log_position=min_log_position, timeout=timeout)
        return answer

    async def preview(self, *, channel: Literal["sms", "whatsapp", "email", "push", "telegram", "broadcast"], to: str, segments: Optional[int] = None, category: Optional[Literal["transactional", "marketing", "authentication"]] = None, list: Optional[str] = None, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> "t.PricePreview":
        """What one message would cost: GET /api/v1/prices/preview"""
        answer: "t.PricePreview" = await self._core.call("GET", "/api/v1/prices/preview", (), {"channel": channel, "to": to, "segments": segments, "category": category, "list": list}, min_log_position=min_log_position, timeout=timeout)
        return answer


class AsyncOperationsSenderPools:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core

    async def create(self, body: "t.CreateSenderPool", *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.SenderPool":
        """Make a pool of senders; messages may name it at once: POST /api/v1/sender-pools"""
        answer: "t.SenderPool" = await self._core.call("POST", "/api/v1/sender-pools", (), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer

    def list(self, *, limit: Optional[int] = None, after: Optional[str] = None, before: Optional[str] = None, channel: Optional[Literal["sms", "whatsapp", "email", "push", "telegram", "broadcast"]] = None, environment: Optional[Literal["live", "sandbox"]] = None, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> AsyncListing["t.SenderPool"]:
        """Your pools of senders; for operators those of gateways too: GET /api/v1/sender-pools"""
        return self._core.listing("GET", "/api/v1/sender-pools", (), {"limit": limit, "after": after, "before": before, "channel": channel, "environment": environment}, min_log_position=min_log_position, timeout=timeout)

    async def get(self, id: Union[str, int], *, min_log_position: Optional[str] = None, if_none_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.SenderPool":
        """A pool of senders: GET /api/v1/sender-pools/{id}"""
        answer: "t.SenderPool" = await self._core.call("GET", "/api/v1/sender-pools/{id}", (id,), {}, min_log_position=min_log_position, if_none_match=if_none_match, timeout=timeout)
        return answer

    async def update(self, id: Union[str, int], body: "t.PatchSenderPool", *, idempotency_key: Optional[str] = None, if_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.SenderPool":
        """Change a pool of senders; in force everywhere within a second: PATCH /api/v1/sender-pools/{id}"""
        answer: "t.SenderPool" = await self._core.call("PATCH", "/api/v1/sender-pools/{id}", (id,), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, if_match=if_match, timeout=timeout)
        return answer

    async def delete(self, id: Union[str, int], *, idempotency_key: Optional[str] = None, if_match: Optional[str] = None, timeout: Optional[float] = None) -> None:
        """Remove a pool of senders; what was accepted keeps its sender: DELETE /api/v1/sender-pools/{id}"""
        await self._core.call("DELETE", "/api/v1/sender-pools/{id}", (id,), {}, keyed=True, idempotency_key=idempotency_key, if_match=if_match, timeout=timeout)


class AsyncOperationsKeys:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core

    async def create(self, body: "t.IssueKey", *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.IssuedKey":
        """Issue an API key: POST /api/v1/keys"""
        answer: "t.IssuedKey" = await self._core.call("POST", "/api/v1/keys", (), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer

    def list(self, *, limit: Optional[int] = None, after: Optional[str] = None, before: Optional[str] = None, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> AsyncListing["t.Key"]:
        """List API keys, oldest first: GET /api/v1/keys"""
        return self._core.listing("GET", "/api/v1/keys", (), {"limit": limit, "after": after, "before": before}, min_log_position=min_log_position, timeout=timeout)

    async def get(self, id: Union[str, int], *, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> "t.Key":
        """One API key: GET /api/v1/keys/{id}"""
        answer: "t.Key" = await self._core.call("GET", "/api/v1/keys/{id}", (id,), {}, min_log_position=min_log_position, timeout=timeout)
        return answer

    async def delete(self, id: Union[str, int], *, idempotency_key: Optional[str] = None, if_match: Optional[str] = None, timeout: Optional[float] = None) -> None:
        """Revoke an API key: DELETE /api/v1/keys/{id}"""
        await self._core.call("DELETE", "/api/v1/keys/{id}", (id,), {}, keyed=True, idempotency_key=idempotency_key, if_match=if_match, timeout=timeout)

    async def rotate(self, id: Union[str, int], body: "t.RotateKey", *, idempotency_key: Optional[str] = None, if_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.RotatedKey":
        """Make the successor of an API key; the old one works too until the overlap ends: POST /api/v1/keys/{id}/rotate"""
        answer: "t.RotatedKey" = await self._core.call("POST", "/api/v1/keys/{id}/rotate", (id,), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, if_match=if_match, timeout=timeout)
        return answer


class AsyncOperationsAudit:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core

    def list(self, *, limit: Optional[int] = None, after: Optional[str] = None, before: Optional[str] = None, actor: Optional[str] = None, action: Optional[str] = None, target: Optional[str] = None, from_: Optional[str] = None, to: Optional[str] = None, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> AsyncListing["t.AuditEntry"]:
        """Who changed what of the partner, sent, or was refused, and what the platform did by itself, newest first: GET /api/v1/audit"""
        return self._core.listing("GET", "/api/v1/audit", (), {"limit": limit, "after": after, "before": before, "actor": actor, "action": action, "target": target, "from": from_, "to": to}, min_log_position=min_log_position, timeout=timeout)

    async def export(self, *, actor: Optional[str] = None, action: Optional[str] = None, target: Optional[str] = None, from_: Optional[str] = None, to: Optional[str] = None, format: Optional[Literal["csv"]] = None, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> str:
        """The same as a file: GET /api/v1/audit/export"""
        answer: str = await self._core.call("GET", "/api/v1/audit/export", (), {"actor": actor, "action": action, "target": target, "from": from_, "to": to, "format": format}, min_log_position=min_log_position, timeout=timeout)
        return answer


class AsyncOperationsEvaluations:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core

    async def create(self, body: "t.RequestEvaluation", *, idempotency_key: Optional[str] = None, timeout: Optional[float] = None) -> "t.RequestedEvaluation":
        """Ask for an evaluation; the answer is the same for every address: POST /api/v1/evaluations"""
        answer: "t.RequestedEvaluation" = await self._core.call("POST", "/api/v1/evaluations", (), {}, body=body, kind="json", keyed=True, idempotency_key=idempotency_key, timeout=timeout)
        return answer

    async def form(self, *, timeout: Optional[float] = None) -> "t.EvaluationForm":
        """What a page that has a form for evaluations hides in it, anew for each rendering: GET /api/v1/evaluations/form"""
        answer: "t.EvaluationForm" = await self._core.call("GET", "/api/v1/evaluations/form", (), {}, timeout=timeout)
        return answer


class AsyncOperations:
    def __init__(self, core: AsyncCore) -> None:
        self._core = core
        self.messages = AsyncOperationsMessages(core)
        self.conversations = AsyncOperationsConversations(core)
        self.broadcasts = AsyncOperationsBroadcasts(core)
        self.forks = AsyncOperationsForks(core)
        self.templates = AsyncOperationsTemplates(core)
        self.wallet = AsyncOperationsWallet(core)
        self.admin = AsyncOperationsAdmin(core)
        self.gateways = AsyncOperationsGateways(core)
        self.routing = AsyncOperationsRouting(core)
        self.backtests = AsyncOperationsBacktests(core)
        self.sandbox = AsyncOperationsSandbox(core)
        self.callbacks = AsyncOperationsCallbacks(core)
        self.contacts = AsyncOperationsContacts(core)
        self.contact_imports = AsyncOperationsContactImports(core)
        self.suppressions = AsyncOperationsSuppressions(core)
        self.unsubscribe = AsyncOperationsUnsubscribe(core)
        self.agents = AsyncOperationsAgents(core)
        self.teams = AsyncOperationsTeams(core)
        self.me = AsyncOperationsMe(core)
        self.invitations = AsyncOperationsInvitations(core)
        self.password_resets = AsyncOperationsPasswordResets(core)
        self.mobile = AsyncOperationsMobile(core)
        self.attachments = AsyncOperationsAttachments(core)
        self.usage = AsyncOperationsUsage(core)
        self.events = AsyncOperationsEvents(core)
        self.event_consumers = AsyncOperationsEventConsumers(core)
        self.root = AsyncOperationsRoot(core)
        self.webhook_endpoints = AsyncOperationsWebhookEndpoints(core)
        self.webhook_deliveries = AsyncOperationsWebhookDeliveries(core)
        self.prices = AsyncOperationsPrices(core)
        self.sender_pools = AsyncOperationsSenderPools(core)
        self.keys = AsyncOperationsKeys(core)
        self.audit = AsyncOperationsAudit(core)
        self.evaluations = AsyncOperationsEvaluations(core)

    async def balance(self, *, currency: Optional[str] = None, as_of: Optional[str] = None, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> "t.Balance":
        """The wallet's balance, now or as of an earlier position or time: GET /api/v1/balance"""
        answer: "t.Balance" = await self._core.call("GET", "/api/v1/balance", (), {"currency": currency, "as_of": as_of}, min_log_position=min_log_position, timeout=timeout)
        return answer

    async def wallets(self, *, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> "t.Wallets":
        """The balances of all wallets, one for each currency: GET /api/v1/wallets"""
        answer: "t.Wallets" = await self._core.call("GET", "/api/v1/wallets", (), {}, min_log_position=min_log_position, timeout=timeout)
        return answer

    async def overview(self, *, minutes: Optional[int] = None, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> "t.Overview":
        """How your messages do: throughput by the minute, what became of them, why some were lost, how long they took; counted every three seconds at most: GET /api/v1/overview"""
        answer: "t.Overview" = await self._core.call("GET", "/api/v1/overview", (), {"minutes": minutes}, min_log_position=min_log_position, timeout=timeout)
        return answer

    async def event_types(self, *, min_log_position: Optional[str] = None, timeout: Optional[float] = None) -> "t.LifecycleEventTypes":
        """The types of lifecycle events, each with its schema and an example: GET /api/v1/event-types"""
        answer: "t.LifecycleEventTypes" = await self._core.call("GET", "/api/v1/event-types", (), {}, min_log_position=min_log_position, timeout=timeout)
        return answer

    async def asyncapi_json(self, *, timeout: Optional[float] = None) -> Mapping[str, Any]:
        """The AsyncAPI document of the public topics: GET /api/v1/asyncapi.json"""
        answer: Mapping[str, Any] = await self._core.call("GET", "/api/v1/asyncapi.json", (), {}, timeout=timeout)
        return answer

    async def limits(self, *, min_log_position: Optional[str] = None, if_none_match: Optional[str] = None, timeout: Optional[float] = None) -> "t.Limits":
        """What you may do, and what is left of it now: GET /api/v1/limits"""
        answer: "t.Limits" = await self._core.call("GET", "/api/v1/limits", (), {}, min_log_position=min_log_position, if_none_match=if_none_match, timeout=timeout)
        return answer

    async def status(self, *, timeout: Optional[float] = None) -> "t.PlatformState":
        """Whether the platform is ready, and how far its consumers are behind: GET /api/v1/status"""
        answer: "t.PlatformState" = await self._core.call("GET", "/api/v1/status", (), {}, timeout=timeout)
        return answer

    async def openapi_json(self, *, timeout: Optional[float] = None) -> Mapping[str, Any]:
        """This document: GET /api/v1/openapi.json"""
        answer: Mapping[str, Any] = await self._core.call("GET", "/api/v1/openapi.json", (), {}, timeout=timeout)
        return answer

    async def healthz(self, *, timeout: Optional[float] = None) -> "t.ServiceStatus":
        """Whether the process is alive: GET /api/v1/healthz"""
        answer: "t.ServiceStatus" = await self._core.call("GET", "/api/v1/healthz", (), {}, timeout=timeout)
        return answer

    async def readyz(self, *, timeout: Optional[float] = None) -> "t.ServiceStatus":
        """Whether the process is ready for requests; 503 while it is not: GET /api/v1/readyz"""
        answer: "t.ServiceStatus" = await self._core.call("GET", "/api/v1/readyz", (), {}, timeout=timeout)
        return answer

    async def metrics(self, *, timeout: Optional[float] = None) -> str:
        """Metrics in the text format of Prometheus; as OpenMetrics, with traces as exemplars, where `Accept` prefers that: GET /api/v1/metrics"""
        answer: str = await self._core.call("GET", "/api/v1/metrics", (), {}, timeout=timeout)
        return answer
