// Made by `npm run generate` from the OpenAPI document.

import type * as C from "../calls.ts";
import type * as T from "./types.ts";

/** Every operation of the platform. */
export type Operations = {
  readonly messages: {
    /** Send a message: `POST /api/v1/messages` */ send(body: T.SendMessage, options?: C.Options<"idempotencyKey" | "wait"> & { readonly query?: { /** true: validates, prices and answers the same, but sends and stores nothing. */ readonly dry_run?: boolean } }): Promise<T.Message | T.AcceptedMessage>;
    /** List messages, newest first: `GET /api/v1/messages` */ list(query?: { /** How many at most. */ readonly limit?: number; /** `next_cursor` of an earlier page. */ readonly after?: string; /** `prev_cursor` of an earlier page. */ readonly before?: string; /** One or more, separated by commas. */ readonly status?: string | readonly string[]; /** How the message travels. */ readonly channel?: "sms" | "whatsapp" | "email" | "push" | "telegram" | "broadcast"; /** The recipient, in the form that is kept. */ readonly to?: string; /** One of the message's tags. */ readonly tag?: string; /** Yours, from the request. */ readonly client_ref?: string; /** Inclusive. */ readonly created_from?: string; /** Exclusive. */ readonly created_before?: string }, options?: C.Options<"minLogPosition">): C.Listing<T.MessageSummary, T.MessageList>;
    /** Send up to 1,000 messages, each with its own result: `POST /api/v1/messages/batch` */ sendBatch(body: T.SendBatch, options?: C.Options<"idempotencyKey">): Promise<T.BatchAnswer>;
    /** Every event of a message, oldest first: `GET /api/v1/messages/{id}/timeline` */ timeline(id: string | number, options?: C.Options<"minLogPosition">): Promise<T.Timeline>;
    /** Cancel a message that is still scheduled: `POST /api/v1/messages/{id}/cancel` */ cancel(id: string | number, options?: C.Options<"idempotencyKey">): Promise<T.Message>;
    /** Get a message, now or as of an earlier position or time: `GET /api/v1/messages/{id}` */ get(id: string | number, query?: { /** A position of the log, or a time by its clock (RFC 3339): the answer is as it was then. */ readonly as_of?: string }, options?: C.Options<"minLogPosition" | "ifNoneMatch">): Promise<T.Message>;
    /** Which events a field of a message comes from, now or as of an earlier position or time: `GET /api/v1/messages/{id}/explain` */ explain(id: string | number, query: { /** The field of the answer, or its path. */ readonly field: string; /** A position of the log, or a time by its clock (RFC 3339): the answer is as it was then. */ readonly as_of?: string }, options?: C.Options<"minLogPosition">): Promise<T.FieldExplanation>;
  };
  readonly conversations: {
    /** Answer the person of a conversation: `POST /api/v1/conversations/{id}/messages` */ reply(id: string | number, body: T.SendReply, options?: C.Options<"idempotencyKey" | "wait">): Promise<T.SettledReply | T.AcceptedReply>;
    readonly messages: {
      /** List the messages and notes of a conversation, oldest first: `GET /api/v1/conversations/{id}/messages` */ list(id: string | number, query?: { /** How many at most. */ readonly limit?: number; /** `next_cursor` of an earlier page. */ readonly after?: string; /** `prev_cursor` of an earlier page. */ readonly before?: string; /** Whether to begin with the last page; `prev_cursor` leads back from it. */ readonly newest?: boolean }, options?: C.Options<"minLogPosition">): C.Listing<T.ConversationMessage, T.ConversationMessageList>;
    };
    /** List conversations, newest activity first: `GET /api/v1/conversations` */ list(query?: { /** How many at most. */ readonly limit?: number; /** `next_cursor` of an earlier page. */ readonly after?: string; /** `prev_cursor` of an earlier page. */ readonly before?: string; /** Its status. */ readonly status?: "open" | "snoozed" | "closed"; /** An agent's id, or `none` for those that nobody has. */ readonly assignee?: string; /** The team that has it. */ readonly team?: string; /** A contact; those that are part of it by a merge count too. */ readonly contact?: string; /** How the message travels. */ readonly channel?: "sms" | "whatsapp" | "email" | "push" | "telegram" | "broadcast"; /** Whether something of it is unread. */ readonly unread?: boolean }, options?: C.Options<"minLogPosition">): C.Listing<T.Conversation, T.ConversationList>;
    /** Get a conversation, now or as of an earlier position or time: `GET /api/v1/conversations/{id}` */ get(id: string | number, query?: { /** A position of the log, or a time by its clock (RFC 3339): the answer is as it was then. */ readonly as_of?: string }, options?: C.Options<"minLogPosition" | "ifNoneMatch">): Promise<T.Conversation>;
    /** Which events a field of a conversation comes from, now or as of an earlier position or time: `GET /api/v1/conversations/{id}/explain` */ explain(id: string | number, query: { /** The field of the answer, or its path. */ readonly field: string; /** A position of the log, or a time by its clock (RFC 3339): the answer is as it was then. */ readonly as_of?: string }, options?: C.Options<"minLogPosition">): Promise<T.FieldExplanation>;
    /** Write a note that the person does not see: `POST /api/v1/conversations/{id}/notes` */ note(id: string | number, body: T.WriteNote, options?: C.Options<"idempotencyKey">): Promise<T.ConversationMessage>;
    /** Close a conversation: `POST /api/v1/conversations/{id}/close` */ close(id: string | number, options?: C.Options<"idempotencyKey" | "ifMatch">): Promise<T.Conversation>;
    /** Open a conversation that is closed or rests: `POST /api/v1/conversations/{id}/reopen` */ reopen(id: string | number, options?: C.Options<"idempotencyKey" | "ifMatch">): Promise<T.Conversation>;
    /** Let a conversation rest until a time, or until the person writes: `POST /api/v1/conversations/{id}/snooze` */ snooze(id: string | number, body: T.SnoozeConversation, options?: C.Options<"idempotencyKey" | "ifMatch">): Promise<T.Conversation>;
    /** Mark everything up to a message as read: `POST /api/v1/conversations/{id}/read` */ read(id: string | number, body: T.ReadConversation, options?: C.Options<"idempotencyKey" | "ifMatch">): Promise<T.Conversation>;
    readonly timeline: {
      /** Every event of a conversation, oldest first: `GET /api/v1/conversations/{id}/timeline` */ list(id: string | number, query?: { /** How many at most. */ readonly limit?: number; /** `next_cursor` of an earlier page. */ readonly after?: string }, options?: C.Options<"minLogPosition">): C.Listing<{ /** A place in the log. */ readonly position: string; /** The event's id. */ readonly id: string; /** The event's type. */ readonly type: string; /** RFC 3339, UTC. */ readonly timestamp: string; /** Who did it: the id of a key, or `platform`. */ readonly actor: string; /** The event's own fields, its texts opened. */ readonly data: Readonly<Record<string, unknown>>; /** Why. */ readonly reason?: string }, T.ConversationTimeline>;
    };
    /** Give a conversation to an agent, or let routing find one: `POST /api/v1/conversations/{id}/assign` */ assign(id: string | number, body: T.AssignConversation, options?: C.Options<"idempotencyKey" | "ifMatch">): Promise<T.AssignedConversation>;
    /** Take a conversation from its agent: `POST /api/v1/conversations/{id}/unassign` */ unassign(id: string | number, options?: C.Options<"idempotencyKey" | "ifMatch">): Promise<T.Conversation>;
  };
  readonly broadcasts: {
    /** Draft a message to many contacts: `POST /api/v1/broadcasts` */ create(body: T.CreateBroadcast, options?: C.Options<"idempotencyKey">): Promise<T.Broadcast>;
    /** List broadcasts, newest first: `GET /api/v1/broadcasts` */ list(query?: { /** How many at most. */ readonly limit?: number; /** `next_cursor` of an earlier page. */ readonly after?: string; /** `prev_cursor` of an earlier page. */ readonly before?: string; /** Its status. */ readonly status?: "draft" | "running" | "paused" | "done" | "canceled" }, options?: C.Options<"minLogPosition">): C.Listing<T.Broadcast, T.BroadcastList>;
    /** Get how far a broadcast is: `GET /api/v1/broadcasts/{id}` */ get(id: string | number, options?: C.Options<"minLogPosition" | "ifNoneMatch">): Promise<T.Broadcast>;
    readonly recipients: {
      /** List whom a broadcast is for, and why some were skipped: `GET /api/v1/broadcasts/{id}/recipients` */ list(id: string | number, query?: { /** How many at most. */ readonly limit?: number; /** `next_cursor` of an earlier page. */ readonly after?: string; /** `prev_cursor` of an earlier page. */ readonly before?: string; /** Its status. */ readonly status?: "pending" | "accepted" | "skipped" }, options?: C.Options<"minLogPosition">): C.Listing<T.BroadcastRecipient, T.BroadcastRecipientList>;
    };
    /** What a broadcast would come to now: who is skipped and why, segments and cost: `POST /api/v1/broadcasts/{id}/preview` */ preview(id: string | number, options?: C.Options<"minLogPosition">): Promise<T.BroadcastPreview>;
    /** Start a broadcast: its audience are the contacts of this moment: `POST /api/v1/broadcasts/{id}/start` */ start(id: string | number, options?: C.Options<"idempotencyKey">): Promise<T.Broadcast>;
    /** Pause a broadcast: after at most a hundred more messages it sends none: `POST /api/v1/broadcasts/{id}/pause` */ pause(id: string | number, options?: C.Options<"idempotencyKey">): Promise<T.Broadcast>;
    /** Go on with a paused broadcast where it was: `POST /api/v1/broadcasts/{id}/resume` */ resume(id: string | number, options?: C.Options<"idempotencyKey">): Promise<T.Broadcast>;
    /** End a broadcast: what is not accepted yet is never sent: `POST /api/v1/broadcasts/{id}/cancel` */ cancel(id: string | number, options?: C.Options<"idempotencyKey">): Promise<T.Broadcast>;
  };
  readonly forks: {
    /** Send in a partner's sandbox what its live messages of a window come to, and write there what people wrote, without a person in it: `POST /api/v1/forks` */ create(body: T.RequestFork, options?: C.Options<"idempotencyKey">): Promise<T.Fork>;
    /** Progress of a fork: `GET /api/v1/forks/{id}` */ get(id: string | number, options?: C.Options<"minLogPosition">): Promise<T.Fork>;
    /** End a fork that has not ended; what it sent stays: `POST /api/v1/forks/{id}/cancel` */ cancel(id: string | number, options?: C.Options<"idempotencyKey">): Promise<T.Fork>;
  };
  readonly templates: {
    /** Create a template with its first version: `POST /api/v1/templates` */ create(body: T.CreateTemplate, options?: C.Options<"idempotencyKey">): Promise<T.Template>;
    /** List templates, newest first: `GET /api/v1/templates` */ list(query?: { /** How many at most. */ readonly limit?: number; /** `next_cursor` of an earlier page. */ readonly after?: string; /** `prev_cursor` of an earlier page. */ readonly before?: string; /** How the message travels. */ readonly channel?: "sms" | "whatsapp" | "email" | "push" | "telegram" | "broadcast" }, options?: C.Options<"minLogPosition">): C.Listing<T.TemplateSummary, T.TemplateList>;
    /** Get a template by id or slug, now or as of an earlier position or time: `GET /api/v1/templates/{id}` */ get(id: string | number, query?: { /** Needed with a slug that several channels have. */ readonly channel?: "sms" | "whatsapp" | "email" | "push" | "telegram" | "broadcast"; /** A position of the log, or a time by its clock (RFC 3339): the answer is as it was then. */ readonly as_of?: string }, options?: C.Options<"minLogPosition" | "ifNoneMatch">): Promise<T.Template>;
    /** Change texts, variables, description or default language of a template: the newest version with the change is the next one: `PATCH /api/v1/templates/{id}` */ update(id: string | number, body: T.ChangeTemplate, options?: C.Options<"idempotencyKey" | "ifMatch"> & { readonly query?: { /** Needed with a slug that several channels have. */ readonly channel?: "sms" | "whatsapp" | "email" | "push" | "telegram" | "broadcast" } }): Promise<T.Template>;
    /** Delete a template by id or slug; what was accepted with it keeps its text: `DELETE /api/v1/templates/{id}` */ delete(id: string | number, query?: { /** Needed with a slug that several channels have. */ readonly channel?: "sms" | "whatsapp" | "email" | "push" | "telegram" | "broadcast" }, options?: C.Options<"idempotencyKey" | "ifMatch">): Promise<void>;
    readonly versions: {
      /** Add a version to a template: `POST /api/v1/templates/{id}/versions` */ create(id: string | number, body: T.AddTemplateVersion, options?: C.Options<"idempotencyKey"> & { readonly query?: { /** Needed with a slug that several channels have. */ readonly channel?: "sms" | "whatsapp" | "email" | "push" | "telegram" | "broadcast" } }): Promise<T.TemplateVersion>;
      /** Get one version of a template: `GET /api/v1/templates/{id}/versions/{version}` */ get(id: string | number, version: string | number, query?: { /** Needed with a slug that several channels have. */ readonly channel?: "sms" | "whatsapp" | "email" | "push" | "telegram" | "broadcast" }, options?: C.Options<"minLogPosition" | "ifNoneMatch">): Promise<T.TemplateVersion>;
    };
    /** Render a template without sending anything: `POST /api/v1/templates/{id}/preview` */ preview(id: string | number, body: T.PreviewTemplate, options?: C.Options<never> & { readonly query?: { /** Needed with a slug that several channels have. */ readonly channel?: "sms" | "whatsapp" | "email" | "push" | "telegram" | "broadcast" } }): Promise<T.RenderedTemplate>;
  };
  /** The wallet's balance, now or as of an earlier position or time: `GET /api/v1/balance` */ balance(query?: { /** Of which wallet; the partner's own. */ readonly currency?: string; /** A position of the log, or a time by its clock (RFC 3339): the answer is as it was then. */ readonly as_of?: string }, options?: C.Options<"minLogPosition">): Promise<T.Balance>;
  readonly wallet: {
    /** Which events made the balance what it is, now or as of an earlier position or time: `GET /api/v1/wallet/explain` */ explain(query: { /** The field of the balance. */ readonly field: "available" | "held"; /** Of which wallet; the partner's own. */ readonly currency?: string; /** A position of the log, or a time by its clock (RFC 3339): the answer is as it was then. */ readonly as_of?: string }, options?: C.Options<"minLogPosition">): Promise<T.FieldExplanation>;
    /** Add funds: sandbox keys to their own wallet, admin keys to any: `POST /api/v1/wallet/topups` */ topUp(body: T.Topup, options?: C.Options<"idempotencyKey">): Promise<T.ToppedUp>;
    readonly settings: {
      /** What the wallet decides by: `GET /api/v1/wallet/settings` */ get(query?: { /** Of which wallet; the partner's own. */ readonly currency?: string; /** The partner's id. */ readonly partner_id?: string; /** `live` or `sandbox`. */ readonly environment?: "live" | "sandbox" }, options?: C.Options<"minLogPosition" | "ifNoneMatch">): Promise<T.WalletSettings>;
      /** Set the low-balance threshold, spend limits and, for administrators, the credit: `PUT /api/v1/wallet/settings` */ set(body: T.ChangeWalletSettings, options?: C.Options<"idempotencyKey" | "ifMatch">): Promise<T.WalletSettings>;
    };
    readonly statements: {
      /** A month of the wallet: opening, entries, closing: `GET /api/v1/wallet/statements/{month}` */ get(month: string | number, query: { /** Default: json. */ readonly format: "csv"; /** Of which wallet; the partner's own. */ readonly currency?: string; /** Of JSON: at most so many entries, the first of the month. Default: all. */ readonly limit?: number }, options?: C.Options<"minLogPosition">): Promise<string>;
      /** A month of the wallet: opening, entries, closing: `GET /api/v1/wallet/statements/{month}` */ get(month: string | number, query?: { /** Default: json. */ readonly format?: "json"; /** Of which wallet; the partner's own. */ readonly currency?: string; /** Of JSON: at most so many entries, the first of the month. Default: all. */ readonly limit?: number }, options?: C.Options<"minLogPosition">): Promise<T.WalletStatement>;
    };
    readonly transactions: {
      /** Every movement of the wallet, newest first: `GET /api/v1/wallet/transactions` */ list(query?: { /** How many at most. */ readonly limit?: number; /** `next_cursor` of an earlier page. */ readonly after?: string; /** `prev_cursor` of an earlier page. */ readonly before?: string; /** One or more, separated by commas. */ readonly kind?: string | readonly string[]; /** The message's id. */ readonly message_id?: string; /** Yours. */ readonly reference?: string; /** Of which wallet; the partner's own. */ readonly currency?: string; /** Made at this time or later, inclusive. */ readonly created_from?: string; /** Made before this time, exclusive. */ readonly created_before?: string }, options?: C.Options<"minLogPosition">): C.Listing<T.WalletTransaction, T.WalletTransactionList>;
    };
    /** The wallet recomputed from the log, now or at an earlier position: `GET /api/v1/wallet/proof` */ proof(query?: { /** When, RFC 3339, UTC. */ readonly at?: string; /** Of which wallet; the partner's own. */ readonly currency?: string }, options?: C.Options<"minLogPosition">): Promise<T.WalletProof>;
  };
  /** The balances of all wallets, one for each currency: `GET /api/v1/wallets` */ wallets(options?: C.Options<"minLogPosition">): Promise<T.Wallets>;
  readonly admin: {
    readonly partners: {
      /** Correct a partner's balance, with a reason: `POST /api/v1/admin/partners/{id}/adjustments` */ adjust(id: string | number, body: T.Adjust, options?: C.Options<"idempotencyKey">): Promise<T.Adjustment>;
      /** Let a list price what a partner sends from here on: `PUT /api/v1/admin/partners/{id}/price-list` */ setPriceList(id: string | number, body: T.AssignPrices, options?: C.Options<"idempotencyKey">): Promise<T.AssignedPrices>;
      /** Create a partner with a key for each environment: `POST /api/v1/admin/partners` */ create(body: T.CreatePartner, options?: C.Options<"idempotencyKey">): Promise<T.CreatedPartner>;
      /** List partners, oldest first: `GET /api/v1/admin/partners` */ list(query?: { /** How many at most. */ readonly limit?: number; /** `next_cursor` of an earlier page. */ readonly after?: string; /** `prev_cursor` of an earlier page. */ readonly before?: string }, options?: C.Options<"minLogPosition">): C.Listing<T.Partner, T.PartnerList>;
      /** Read a partner with its limits: `GET /api/v1/admin/partners/{id}` */ get(id: string | number, options?: C.Options<"minLogPosition" | "ifNoneMatch">): Promise<T.Partner>;
      /** Change a partner's limits, or suspend it; in force everywhere within a second: `PATCH /api/v1/admin/partners/{id}` */ update(id: string | number, body: T.PatchPartner, options?: C.Options<"idempotencyKey" | "ifMatch">): Promise<T.Partner>;
    };
    /** Say whose messages to one of a gateway's addresses are: `PUT /api/v1/admin/senders` */ setSenders(body: T.AssignSender, options?: C.Options<"idempotencyKey">): Promise<T.Sender>;
    readonly prices: {
      /** The price lists, their versions in force and to come, and who pays by them: `GET /api/v1/admin/prices` */ list(query?: { /** How many at most. */ readonly limit?: number; /** `next_cursor` of an earlier page. */ readonly after?: string; /** `prev_cursor` of an earlier page. */ readonly before?: string; /** Only this one. */ readonly list?: string }, options?: C.Options<"minLogPosition">): C.Listing<T.PublishedPriceList, T.PublishedPriceLists>;
      /** Publish a version of a price list: `PUT /api/v1/admin/prices` */ publish(body: T.PublishPrices, options?: C.Options<"idempotencyKey">): Promise<T.PriceList>;
    };
    readonly gateways: {
      /** Add a gateway; messages may go through it at once: `POST /api/v1/admin/gateways` */ create(body: T.CreateGateway, options?: C.Options<"idempotencyKey">): Promise<T.AdminGateway>;
      /** The gateways of both environments with their settings: `GET /api/v1/admin/gateways` */ list(query?: { /** How many at most. */ readonly limit?: number; /** `next_cursor` of an earlier page. */ readonly after?: string; /** `prev_cursor` of an earlier page. */ readonly before?: string; /** `live` or `sandbox`. */ readonly environment?: "live" | "sandbox" }, options?: C.Options<"minLogPosition">): C.Listing<T.AdminGateway, T.AdminGatewayList>;
      /** A gateway with its settings: `GET /api/v1/admin/gateways/{id}` */ get(id: string | number, options?: C.Options<"minLogPosition" | "ifNoneMatch">): Promise<T.AdminGateway>;
      /** Change a gateway; in force everywhere within a second: `PATCH /api/v1/admin/gateways/{id}` */ update(id: string | number, body: T.PatchGateway, options?: C.Options<"idempotencyKey" | "ifMatch">): Promise<T.AdminGateway>;
      /** Remove a gateway; calls that are under way end: `DELETE /api/v1/admin/gateways/{id}` */ delete(id: string | number, options?: C.Options<"idempotencyKey" | "ifMatch">): Promise<void>;
      /** Let messages go through a gateway: `POST /api/v1/admin/gateways/{id}/enable` */ enable(id: string | number, options?: C.Options<"idempotencyKey" | "ifMatch">): Promise<T.AdminGateway>;
      /** Let no more messages go through a gateway; calls that are under way end: `POST /api/v1/admin/gateways/{id}/disable` */ disable(id: string | number, options?: C.Options<"idempotencyKey" | "ifMatch">): Promise<T.AdminGateway>;
      /** Reach a gateway's provider with its credentials; sends nothing: `POST /api/v1/admin/gateways/{id}/test` */ test(id: string | number, options?: C.Options<never>): Promise<T.TestedGateway>;
    };
    readonly routing: {
      /** The rules by which messages find their gateway: `GET /api/v1/admin/routing` */ get(query?: { /** `live` or `sandbox`. */ readonly environment?: "live" | "sandbox" }, options?: C.Options<"minLogPosition" | "ifNoneMatch">): Promise<T.Routing>;
      /** Replace the rules by which messages find their gateway; in force everywhere within a second: `PUT /api/v1/admin/routing` */ set(body: T.SetRouting, options?: C.Options<"idempotencyKey" | "ifMatch">): Promise<T.Routing>;
    };
    readonly senderRules: {
      /** Which senders countries take: `GET /api/v1/admin/sender-rules` */ get(query?: { /** `live` or `sandbox`. */ readonly environment?: "live" | "sandbox" }, options?: C.Options<"minLogPosition" | "ifNoneMatch">): Promise<T.SenderRules>;
      /** Replace the rules for the senders that countries take; in force everywhere within a second: `PUT /api/v1/admin/sender-rules` */ set(body: T.SetSenderRules, options?: C.Options<"idempotencyKey" | "ifMatch">): Promise<T.SenderRules>;
    };
    readonly keys: {
      /** Issue an admin key, for the administration alone: `POST /api/v1/admin/keys` */ create(body: T.IssueAdminKey, options?: C.Options<"idempotencyKey">): Promise<T.IssuedKey>;
      /** List admin keys, oldest first: `GET /api/v1/admin/keys` */ list(query?: { /** How many at most. */ readonly limit?: number; /** `next_cursor` of an earlier page. */ readonly after?: string; /** `prev_cursor` of an earlier page. */ readonly before?: string }, options?: C.Options<"minLogPosition">): C.Listing<T.Key, T.AdminKeyList>;
      /** One admin key: `GET /api/v1/admin/keys/{id}` */ get(id: string | number, options?: C.Options<"minLogPosition">): Promise<T.Key>;
      /** Revoke an admin key: `DELETE /api/v1/admin/keys/{id}` */ delete(id: string | number, options?: C.Options<"idempotencyKey" | "ifMatch">): Promise<void>;
      /** Make the successor of an admin key; the old one works too until the overlap ends: `POST /api/v1/admin/keys/{id}/rotate` */ rotate(id: string | number, body: T.RotateKey, options?: C.Options<"idempotencyKey" | "ifMatch">): Promise<T.RotatedKey>;
    };
    readonly audit: {
      /** Who changed what, sent, or was refused, and what the platform did by itself, newest first: `GET /api/v1/admin/audit` */ list(query?: { /** How many at most. */ readonly limit?: number; /** `next_cursor` of an earlier page. */ readonly after?: string; /** `prev_cursor` of an earlier page. */ readonly before?: string; /** The id of a key or an agent, `ops`, `unknown`, or for what the platform did by itself a service such as `service:wallet`. */ readonly actor?: string; /** A call, or for what the platform did by itself the type of its event. */ readonly action?: string; /** A path, an id that stands in one, or the id of what was made. */ readonly target?: string; /** Inclusive. */ readonly from?: string; /** Exclusive. */ readonly to?: string; /** `live` or `sandbox`. */ readonly environment?: "live" | "sandbox"; /** The partner's id. */ readonly partner?: string }, options?: C.Options<"minLogPosition">): C.Listing<T.AuditEntry, T.AuditList>;
      /** The same as a file: `GET /api/v1/admin/audit/export` */ export(query?: { /** The id of a key or an agent, `ops`, `unknown`, or for what the platform did by itself a service such as `service:wallet`. */ readonly actor?: string; /** A call, or for what the platform did by itself the type of its event. */ readonly action?: string; /** A path, an id that stands in one, or the id of what was made. */ readonly target?: string; /** Inclusive. */ readonly from?: string; /** Exclusive. */ readonly to?: string; /** `live` or `sandbox`. */ readonly environment?: "live" | "sandbox"; /** The partner's id. */ readonly partner?: string; /** What the file is. */ readonly format?: "csv" }, options?: C.Options<"minLogPosition">): Promise<string>;
    };
    readonly evaluations: {
      readonly rota: {
        /** Who takes the next evaluations, in turn: `GET /api/v1/admin/evaluations/rota` */ get(options?: C.Options<"minLogPosition" | "ifNoneMatch">): Promise<T.EvaluationRota>;
        /** Say who takes the next evaluations, in turn, from the first; nobody when it is empty: `PUT /api/v1/admin/evaluations/rota` */ set(body: T.SetEvaluationRota, options?: C.Options<"idempotencyKey" | "ifMatch">): Promise<T.EvaluationRota>;
      };
      /** List evaluations, newest first: `GET /api/v1/admin/evaluations` */ list(query?: { /** How many at most. */ readonly limit?: number; /** `next_cursor` of an earlier page. */ readonly after?: string; /** `prev_cursor` of an earlier page. */ readonly before?: string; /** Its status. */ readonly status?: string }, options?: C.Options<"minLogPosition">): C.Listing<T.Evaluation, T.EvaluationList>;
      /** How often a person answered within the promised business day: `GET /api/v1/admin/evaluations/report` */ report(query?: { /** Inclusive; default 30 days before `to`. */ readonly from?: string; /** Exclusive; default now. */ readonly to?: string }, options?: C.Options<"minLogPosition">): Promise<T.EvaluationReport>;
      /** Get an evaluation with its notes: `GET /api/v1/admin/evaluations/{id}` */ get(id: string | number, options?: C.Options<"minLogPosition" | "ifNoneMatch">): Promise<T.EvaluationWithNotes>;
      /** Give an evaluation to a contact; the visitor gets mail that names both: `POST /api/v1/admin/evaluations/{id}/assign` */ assign(id: string | number, body: T.AssignEvaluation, options?: C.Options<"idempotencyKey" | "ifMatch">): Promise<T.EvaluationWithNotes>;
      /** Write a note: `POST /api/v1/admin/evaluations/{id}/note` */ note(id: string | number, body: T.NoteEvaluation, options?: C.Options<"idempotencyKey" | "ifMatch">): Promise<T.EvaluationWithNotes>;
      /** The visitor became a customer: `POST /api/v1/admin/evaluations/{id}/convert` */ convert(id: string | number, options?: C.Options<"idempotencyKey" | "ifMatch">): Promise<T.EvaluationWithNotes>;
      /** Close an evaluation; its tenant stays: `POST /api/v1/admin/evaluations/{id}/close` */ close(id: string | number, body: T.CloseEvaluation, options?: C.Options<"idempotencyKey" | "ifMatch">): Promise<T.EvaluationWithNotes>;
      /** Erase what the visitor wrote of a person and the team of the visitor, for ever: `POST /api/v1/admin/evaluations/{id}/erase` */ erase(id: string | number, options?: C.Options<"idempotencyKey" | "ifMatch">): Promise<T.ErasedEvaluation>;
    };
    readonly projections: {
      /** Every consumer: where it stands, how fast it goes, what went wrong: `GET /api/v1/admin/projections` */ list(options?: C.Options<"minLogPosition">): Promise<T.ProjectionList>;
      readonly rebuild: {
        /** Rebuild a read model from the log while it serves, or only compare: `POST /api/v1/admin/projections/{name}/rebuild` */ create(name: string | number, body: T.RequestRebuild, options?: C.Options<"idempotencyKey">): Promise<T.RequestedRebuild>;
        /** Progress and result of a rebuild: `GET /api/v1/admin/projections/{name}/rebuild/{id}` */ get(name: string | number, id: string | number, options?: C.Options<"minLogPosition">): Promise<T.Rebuild>;
        /** End a rebuild that has not ended; what is served stays: `POST /api/v1/admin/projections/{name}/rebuild/{id}/cancel` */ cancel(name: string | number, id: string | number, options?: C.Options<"idempotencyKey">): Promise<T.Rebuild>;
      };
    };
    readonly deadLetters: {
      /** Events that a consumer could not handle, newest first: `GET /api/v1/admin/dead-letters` */ list(query?: { /** How many at most. */ readonly limit?: number; /** `next_cursor` of an earlier page. */ readonly after?: string; /** `live` or `sandbox`. */ readonly environment?: "live" | "sandbox"; /** Its status. */ readonly status?: "open" | "retry" | "resolved" }, options?: C.Options<"minLogPosition">): C.Listing<T.DeadLetter, T.DeadLetterList>;
      /** Hand an event to its consumer again: `POST /api/v1/admin/dead-letters/{id}/retry` */ retry(id: string | number, options?: C.Options<"idempotencyKey">): Promise<T.DeadLetterRetry>;
    };
    /** Read the log itself: everything, a stream or a category, now or as of a position: `GET /api/v1/admin/log` */ log(query?: { /** Whose log: of an environment, or the platform's own, which has partners, keys and settings. Default: that of the key. */ readonly environment?: "live" | "sandbox" | "platform"; /** One stream. */ readonly stream?: string; /** All streams of a kind. */ readonly category?: "message" | "receipts" | "wallet" | "topup" | "terms" | "hold" | "template" | "endpoint" | "feed" | "partner" | "key" | "gateway" | "prices" | "inbound" | "external" | "contact" | "import" | "conversation" | "thread" | "team" | "presence" | "session" | "suppression" | "agent" | "login" | "routing" | "sender" | "pool" | "senderrules" | "affinity" | "clock" | "sandbox" | "audit" | "evaluation" | "rota" | "callback" | "unmatched" | "broadcast" | "moved" | "file"; /** A position: events behind it, oldest first. Default: from the start. */ readonly after?: string; /** A position: the last events before it. What is larger than any position gives the newest. */ readonly before?: string; /** A position: the log as it ended there. */ readonly as_of?: string; /** How many at most. */ readonly limit?: number }, options?: C.Options<"minLogPosition">): Promise<T.LogPage>;
  };
  readonly gateways: {
    /** The gateways of this environment that may carry your messages, and how they do: `GET /api/v1/gateways` */ list(query?: { /** How many at most. */ readonly limit?: number; /** `next_cursor` of an earlier page. */ readonly after?: string; /** `prev_cursor` of an earlier page. */ readonly before?: string }, options?: C.Options<"minLogPosition">): C.Listing<T.Gateway, T.GatewayList>;
  };
  readonly routing: {
    /** Which gateway a message would take now, and why; sends nothing: `POST /api/v1/routing/explain` */ explain(body: T.ExplainRoute, options?: C.Options<never>): Promise<T.ExplainedRoute>;
  };
  readonly backtests: {
    /** Try routing rules or prices on messages of the past; sends and appends nothing: `POST /api/v1/backtests` */ create(body: T.RequestBacktest, options?: C.Options<"idempotencyKey">): Promise<T.BacktestSummary>;
    /** List backtests, newest first: `GET /api/v1/backtests` */ list(query?: { /** How many at most. */ readonly limit?: number; /** `next_cursor` of an earlier page. */ readonly after?: string; /** `live` or `sandbox`. */ readonly environment?: "live" | "sandbox" }, options?: C.Options<"minLogPosition">): C.Listing<T.BacktestSummary, T.BacktestList>;
    /** Progress and result of a backtest: `GET /api/v1/backtests/{id}` */ get(id: string | number, options?: C.Options<"minLogPosition" | "ifNoneMatch">): Promise<T.Backtest>;
    /** End a backtest that has not ended; what it came to so far stays: `POST /api/v1/backtests/{id}/cancel` */ cancel(id: string | number, options?: C.Options<"idempotencyKey">): Promise<T.Backtest>;
  };
  /** How your messages do: throughput by the minute, what became of them, why some were lost, how long they took; counted every three seconds at most: `GET /api/v1/overview` */ overview(query?: { /** The last so many minutes; 60 when left out. */ readonly minutes?: number }, options?: C.Options<"minLogPosition">): Promise<T.Overview>;
  readonly sandbox: {
    /** Report on a message as its provider would: in any order, as often as you like, and everything after it is as in live: `POST /api/v1/sandbox/receipts` */ receipt(body: T.SandboxReceipt, options?: C.Options<"idempotencyKey">): Promise<T.AcceptedReceipt>;
    /** Write as a person would: the simulated provider posts it, and everything after it is as in live: `POST /api/v1/sandbox/inbound` */ inbound(body: T.SandboxInbound, options?: C.Options<"idempotencyKey">): Promise<T.AcceptedInbound>;
    readonly clock: {
      /** Set the clock of your sandbox forward: what becomes due on the way happens, in its order: `POST /api/v1/sandbox/clock/advance` */ advance(body: T.AdvanceClock, options?: C.Options<"idempotencyKey">): Promise<T.SandboxClock>;
    };
    /** Put your sandbox back to the beginning: a new, empty one with the same keys: `POST /api/v1/sandbox/reset` */ reset(options?: C.Options<"idempotencyKey">): Promise<T.SandboxReset>;
  };
  readonly callbacks: {
    /** What a gateway's provider tells by itself: stored as it came, once it is known to be the provider's: `POST /api/v1/callbacks/{gateway}/{token}` */ create(gateway: string | number, token: string | number, body: C.Bytes, options: C.Options<never> & { readonly contentType: string }): Promise<string>;
    /** A provider's question whether somebody is there, where it asks one: `GET /api/v1/callbacks/{gateway}/{token}` */ get(gateway: string | number, token: string | number, options?: C.Options<never>): Promise<string>;
  };
  readonly contacts: {
    /** List and search contacts, newest first: `GET /api/v1/contacts` */ list(query?: { /** How many at most. */ readonly limit?: number; /** `next_cursor` of an earlier page. */ readonly after?: string; /** `prev_cursor` of an earlier page. */ readonly before?: string; /** Parts of names and addresses, all of which must be found; case, accents and the separators of numbers are ignored. */ readonly q?: string; /** The channel, or the system, that the name is of. */ readonly source?: string; /** The address or id by which it was matched. */ readonly external_id?: string; /** One of the message's tags. */ readonly tag?: string; /** Inclusive. */ readonly updated_from?: string }, options?: C.Options<"minLogPosition">): C.Listing<T.Contact, T.ContactList>;
    /** Create a contact: `POST /api/v1/contacts` */ create(body: T.ContactInput, options?: C.Options<"idempotencyKey">): Promise<T.Contact>;
    /** Get all contacts as a file that an import takes: `GET /api/v1/contacts/export` */ export(query?: { /** That of the file; csv. */ readonly format?: "csv" | "ndjson" }, options?: C.Options<"minLogPosition">): Promise<string>;
    readonly byExternalId: {
      /** Get the contact that has an external id now: `GET /api/v1/contacts/by-external-id/{source}/{external_id}` */ get(source: string | number, external_id: string | number, options?: C.Options<"minLogPosition" | "ifNoneMatch">): Promise<T.Contact>;
      /** Create or update the contact that has an external id; what is left out stays: `PUT /api/v1/contacts/by-external-id/{source}/{external_id}` */ upsert(source: string | number, external_id: string | number, body: T.ContactInput, options?: C.Options<"idempotencyKey" | "ifMatch">): Promise<T.Contact>;
    };
    /** Get a contact, or what a merged one is part of; now or as of an earlier position or time: `GET /api/v1/contacts/{id}` */ get(id: string | number, query?: { /** A position of the log, or a time by its clock (RFC 3339): the answer is as it was then. */ readonly as_of?: string }, options?: C.Options<"minLogPosition" | "ifNoneMatch">): Promise<T.Contact | T.MergedContact>;
    /** Change a contact by a JSON Merge Patch: `PATCH /api/v1/contacts/{id}` */ update(id: string | number, body: T.ContactPatch, options?: C.Options<"idempotencyKey" | "ifMatch">): Promise<T.Contact>;
    /** Erase a contact: its keys are destroyed, and what they sealed is unreadable for ever: `DELETE /api/v1/contacts/{id}` */ erase(id: string | number, options?: C.Options<"idempotencyKey" | "ifMatch">): Promise<T.ErasureRequested>;
    readonly externalIds: {
      /** Give a contact one more external id: `POST /api/v1/contacts/{id}/external-ids` */ create(id: string | number, body: T.ExternalIdInput, options?: C.Options<"idempotencyKey">): Promise<T.ExternalId>;
      /** Take an external id from a contact, which frees it: `DELETE /api/v1/contacts/{id}/external-ids/{source}/{external_id}` */ delete(id: string | number, source: string | number, external_id: string | number, options?: C.Options<"idempotencyKey" | "ifMatch">): Promise<void>;
    };
    /** List the contacts that are part of a contact, each with the merge that an unmerge undoes: `GET /api/v1/contacts/{id}/merges` */ merges(id: string | number, options?: C.Options<"minLogPosition">): Promise<T.LastingMergeList>;
    /** Merge a contact into another one, or see what that would do: `POST /api/v1/contacts/{id}/merge` */ merge(id: string | number, body: T.MergeContact, options?: C.Options<"idempotencyKey">): Promise<T.ContactMerge>;
    /** Undo a merge; changes made since stay with the survivor: `POST /api/v1/contacts/{id}/unmerge` */ unmerge(id: string | number, body: T.UnmergeContact, options?: C.Options<"idempotencyKey">): Promise<T.UnmergedContacts>;
    /** How far an erasure is, and its signed certificate: `GET /api/v1/contacts/{id}/erasure` */ erasure(id: string | number, options?: C.Options<"minLogPosition">): Promise<T.ContactErasure>;
    /** List contacts that may be the same person, the likeliest first: `GET /api/v1/contacts/{id}/duplicates` */ duplicates(id: string | number, options?: C.Options<"minLogPosition">): Promise<T.DuplicateContactList>;
    readonly consents: {
      /** Record that a contact gave or withdrew a consent: `POST /api/v1/contacts/{id}/consents` */ create(id: string | number, body: T.RecordConsent, options?: C.Options<"idempotencyKey">): Promise<T.Consent>;
      /** List the consents of a contact, all of them or those in force at a time: `GET /api/v1/contacts/{id}/consents` */ list(id: string | number, query?: { /** Only what was in force then; left out: every period, oldest first. */ readonly as_of?: string }, options?: C.Options<"minLogPosition">): Promise<T.ConsentList>;
    };
    readonly messages: {
      /** What was said with a contact, over all channels and both directions, newest first: `GET /api/v1/contacts/{id}/messages` */ list(id: string | number, query?: { /** How many at most. */ readonly limit?: number; /** `next_cursor` of an earlier page. */ readonly after?: string; /** `prev_cursor` of an earlier page. */ readonly before?: string }, options?: C.Options<"minLogPosition">): C.Listing<T.ConversationMessage, T.ConversationMessageList>;
    };
  };
  readonly contactImports: {
    /** Import contacts from a file: `POST /api/v1/contact-imports` */ create(body: C.Bytes, options: C.Options<"idempotencyKey"> & { readonly query?: { /** What becomes of a row whose contact is there already; update. */ readonly on_conflict?: "update" | "skip" | "fail" } } & { readonly contentType: "text/csv" | "application/x-ndjson" }): Promise<T.AcceptedImport>;
    /** Get how far an import is: `GET /api/v1/contact-imports/{id}` */ get(id: string | number, options?: C.Options<"minLogPosition" | "ifNoneMatch">): Promise<T.ContactImport>;
    /** Get what was wrong with rows of an import, as a file: `GET /api/v1/contact-imports/{id}/errors` */ errors(id: string | number, query?: { /** That of the file; csv. */ readonly format?: "csv" | "ndjson" }, options?: C.Options<"minLogPosition">): Promise<string>;
  };
  readonly suppressions: {
    /** List suppressions, newest first: `GET /api/v1/suppressions` */ list(query?: { /** How many at most. */ readonly limit?: number; /** `next_cursor` of an earlier page. */ readonly after?: string; /** `prev_cursor` of an earlier page. */ readonly before?: string; /** An address; without `channel` on every channel that it could be of. */ readonly to?: string; /** How the message travels. */ readonly channel?: "sms" | "whatsapp" | "email" | "push" | "telegram" | "broadcast"; /** true: those that stop something now; false: those that are over. */ readonly active?: boolean }, options?: C.Options<"minLogPosition">): C.Listing<T.Suppression, T.SuppressionList>;
    /** Send nothing to a recipient from now on: `POST /api/v1/suppressions` */ add(body: T.CreateSuppression, options?: C.Options<"idempotencyKey">): Promise<T.Suppression>;
    /** Get a suppression, now or as of an earlier position or time: `GET /api/v1/suppressions/{id}` */ get(id: string | number, query?: { /** A position of the log, or a time by its clock (RFC 3339): the answer is as it was then. */ readonly as_of?: string }, options?: C.Options<"minLogPosition" | "ifNoneMatch">): Promise<T.Suppression>;
    /** End a suppression, whatever began it: `DELETE /api/v1/suppressions/{id}` */ remove(id: string | number, options?: C.Options<"idempotencyKey" | "ifMatch">): Promise<T.Suppression>;
  };
  readonly unsubscribe: {
    /** Ask the recipient of a mail whether to unsubscribe; changes nothing: `GET /api/v1/unsubscribe/{token}` */ get(token: string | number, options?: C.Options<never>): Promise<string>;
    /** Unsubscribe the recipient of a mail from marketing, with one click (RFC 8058): `POST /api/v1/unsubscribe/{token}` */ create(token: string | number, body: C.Bytes, options: C.Options<never> & { readonly contentType: string }): Promise<string>;
  };
  readonly agents: {
    /** Make an agent, or invite one: `POST /api/v1/agents` */ create(body: T.CreateAgent, options?: C.Options<"idempotencyKey">): Promise<T.Agent>;
    /** List the agents of this environment, oldest first: `GET /api/v1/agents` */ list(query?: { /** How many at most. */ readonly limit?: number; /** `next_cursor` of an earlier page. */ readonly after?: string; /** `prev_cursor` of an earlier page. */ readonly before?: string; /** Its status. */ readonly status?: string; /** What the agent may do: `owner`, `admin`, `agent` or `viewer`. */ readonly role?: string }, options?: C.Options<"minLogPosition">): C.Listing<T.Agent, T.AgentList>;
    /** Read an agent: `GET /api/v1/agents/{id}` */ get(id: string | number, options?: C.Options<"minLogPosition" | "ifNoneMatch">): Promise<T.Agent>;
    /** Change an agent: `PATCH /api/v1/agents/{id}` */ update(id: string | number, body: T.PatchAgent, options?: C.Options<"idempotencyKey" | "ifMatch">): Promise<T.Agent>;
    /** Shut an agent out, and give back what the agent had: `POST /api/v1/agents/{id}/disable` */ disable(id: string | number, options?: C.Options<"idempotencyKey" | "ifMatch">): Promise<T.Agent>;
    /** Send an agent's invitation again; earlier links end: `POST /api/v1/agents/{id}/invitation` */ invitation(id: string | number, options?: C.Options<"idempotencyKey" | "ifMatch">): Promise<T.Agent>;
    /** Turn an agent's codes off; every session of the agent ends: `DELETE /api/v1/agents/{id}/totp` */ deleteTotp(id: string | number, options?: C.Options<"idempotencyKey">): Promise<void>;
    /** Say whether an agent is there: `PUT /api/v1/agents/{id}/presence` */ setPresence(id: string | number, body: T.SetPresence, options?: C.Options<"idempotencyKey">): Promise<T.Presence>;
  };
  readonly teams: {
    /** Make a team: `POST /api/v1/teams` */ create(body: T.CreateTeam, options?: C.Options<"idempotencyKey">): Promise<T.Team>;
    /** List teams, newest first: `GET /api/v1/teams` */ list(query?: { /** How many at most. */ readonly limit?: number; /** `next_cursor` of an earlier page. */ readonly after?: string; /** `prev_cursor` of an earlier page. */ readonly before?: string }, options?: C.Options<"minLogPosition">): C.Listing<T.Team, T.TeamList>;
    /** Get a team, now or as of an earlier position or time: `GET /api/v1/teams/{id}` */ get(id: string | number, query?: { /** A position of the log, or a time by its clock (RFC 3339): the answer is as it was then. */ readonly as_of?: string }, options?: C.Options<"minLogPosition" | "ifNoneMatch">): Promise<T.Team>;
    /** Change a team: what is left out stays, null takes it away: `PATCH /api/v1/teams/{id}` */ update(id: string | number, body: T.PatchTeam, options?: C.Options<"idempotencyKey" | "ifMatch">): Promise<T.Team>;
    /** Delete a team; its conversations keep their agents: `DELETE /api/v1/teams/{id}` */ delete(id: string | number, options?: C.Options<"idempotencyKey" | "ifMatch">): Promise<void>;
  };
  readonly me: {
    /** Who is signed in: `GET /api/v1/me` */ get(options?: C.Options<"minLogPosition" | "ifNoneMatch">): Promise<T.Me>;
    /** Change your password; your other sessions end: `PUT /api/v1/me/password` */ setPassword(body: T.ChangePassword, options?: C.Options<"idempotencyKey">): Promise<void>;
    readonly totp: {
      /** Begin to set up codes for signing in: `POST /api/v1/me/totp` */ create(body: T.SetUpTotp, options?: C.Options<"idempotencyKey">): Promise<T.OfferedTotp>;
      /** Turn codes off: signing in takes the password alone: `DELETE /api/v1/me/totp` */ delete(body: T.TurnOffTotp, options?: C.Options<"idempotencyKey">): Promise<void>;
      /** Set codes up with the first one: `POST /api/v1/me/totp/confirm` */ confirm(body: T.ConfirmTotp, options?: C.Options<"idempotencyKey">): Promise<void>;
    };
  };
  readonly invitations: {
    /** Accept an invitation: choose a password: `POST /api/v1/invitations/accept` */ accept(body: T.AcceptInvitation, options?: C.Options<"idempotencyKey">): Promise<T.Agent>;
  };
  readonly passwordResets: {
    /** Ask for another password; the answer is the same for every address: `POST /api/v1/password-resets` */ create(body: T.AskPasswordReset, options?: C.Options<"idempotencyKey">): Promise<T.PasswordResetRequested>;
    /** Choose another password; every session of the agent ends: `POST /api/v1/password-resets/confirm` */ confirm(body: T.ConfirmPasswordReset, options?: C.Options<"idempotencyKey">): Promise<void>;
  };
  readonly mobile: {
    readonly sessions: {
      /** Sign in: `POST /api/v1/mobile/sessions` */ create(body: T.SignIn, options?: C.Options<"idempotencyKey">): Promise<T.IssuedSession>;
      /** List your sessions in this environment, oldest first: `GET /api/v1/mobile/sessions` */ list(query?: { /** How many at most. */ readonly limit?: number; /** `next_cursor` of an earlier page. */ readonly after?: string; /** `prev_cursor` of an earlier page. */ readonly before?: string }, options?: C.Options<"minLogPosition">): C.Listing<T.Session, T.SessionList>;
      /** Get a session's next tokens: `POST /api/v1/mobile/sessions/refresh` */ refresh(body: T.RefreshSession, options?: C.Options<"idempotencyKey">): Promise<T.IssuedSession>;
      /** Begin a session of the same device in the other environment: `POST /api/v1/mobile/sessions/switch` */ switch(body: T.SwitchSession, options?: C.Options<"idempotencyKey">): Promise<T.IssuedSession>;
      /** Sign a session out: `DELETE /api/v1/mobile/sessions/{id}` */ delete(id: string | number, options?: C.Options<"idempotencyKey">): Promise<void>;
    };
    readonly devices: {
      /** Registers this device for push; a token of another agent becomes this one's: `POST /api/v1/mobile/devices` */ create(body: { /** The token that FCM or APNs gave the app. */ readonly fcm_token: string; /** What the device runs. */ readonly platform: "ios" | "android" | "web"; /** Its name. */ readonly name?: string }, options?: C.Options<"idempotencyKey">): Promise<T.Device>;
      /** Your devices: `GET /api/v1/mobile/devices` */ list(query?: { /** How many at most. */ readonly limit?: number; /** `next_cursor` of an earlier page. */ readonly after?: string; /** `prev_cursor` of an earlier page. */ readonly before?: string }, options?: C.Options<"minLogPosition">): C.Listing<T.Device, T.DeviceList>;
      /** Ends push to a device and destroys its token: `DELETE /api/v1/mobile/devices/{id}` */ delete(id: string | number, options?: C.Options<"idempotencyKey">): Promise<void>;
    };
    /** What was pushed to your devices in the last day, and what became of it: `GET /api/v1/mobile/pushes` */ pushes(options?: C.Options<"minLogPosition">): Promise<T.PushList>;
    /** What changed for you since: conversations, messages, and what you lost: `GET /api/v1/mobile/sync` */ sync(query?: { /** `next_after` of the last answer; left out: the open conversations that changed last, to begin with. */ readonly after?: number; /** How many at most. */ readonly limit?: number; /** Seconds to wait for a change when there is none. */ readonly wait?: number }, options?: C.Options<"minLogPosition" | "ifNoneMatch">): Promise<T.MobileSync>;
  };
  readonly attachments: {
    /** Stores a file of at most 10 MB, sent as it is: `POST /api/v1/attachments` */ create(body: C.Bytes, options: C.Options<"idempotencyKey"> & { readonly query?: { /** The file's name; else that of `Content-Disposition`. */ readonly name?: string; /** Whose it is: it is erased with the contact. */ readonly contact_id?: string } } & { readonly contentType: string }): Promise<T.Attachment>;
    /** An attachment, with a link to its content: `GET /api/v1/attachments/{id}` */ get(id: string | number, options?: C.Options<"minLogPosition">): Promise<T.Attachment>;
    /** Destroys an attachment: `DELETE /api/v1/attachments/{id}` */ delete(id: string | number, query?: { /** Whether it is destroyed although messages name it: their media open no more, and one that is not sent yet goes out with a link to nothing. */ readonly even_if_sent?: boolean }, options?: C.Options<"idempotencyKey">): Promise<void>;
    /** The file, by the link of its attachment: `GET /api/v1/attachments/{id}/content` */ content(id: string | number, query: { /** `live` or `sandbox`. */ readonly environment: "live" | "sandbox"; /** Until when the link works: seconds since 1970. */ readonly expires: string; /** Of the link; it ends with the link. */ readonly signature: string }, options?: C.Options<never>): Promise<Uint8Array>;
  };
  readonly usage: {
    /** Count what was sent, what became of it and what it cost: `GET /api/v1/usage` */ list(query: { /** `next_cursor` of an earlier page. */ readonly after?: string; /** A day, or a time, which is rounded down to its hour. Default: 29 days before the day of `to`. */ readonly from?: string; /** A day, which is included, or a time, which is rounded up to its hour. Default: today. */ readonly to?: string; /** One or more, separated by commas; `day` when left out. */ readonly group_by?: string | readonly string[]; /** That of the answer; json. */ readonly format: "csv"; /** How many at most. */ readonly limit?: number }, options?: C.Options<"minLogPosition">): Promise<string>;
    /** Count what was sent, what became of it and what it cost: `GET /api/v1/usage` */ list(query?: { /** `next_cursor` of an earlier page. */ readonly after?: string; /** A day, or a time, which is rounded down to its hour. Default: 29 days before the day of `to`. */ readonly from?: string; /** A day, which is included, or a time, which is rounded up to its hour. Default: today. */ readonly to?: string; /** One or more, separated by commas; `day` when left out. */ readonly group_by?: string | readonly string[]; /** That of the answer; json. */ readonly format?: "json"; /** How many at most. */ readonly limit?: number }, options?: C.Options<"minLogPosition">): C.Listing<T.UsageRow, T.Usage>;
  };
  readonly events: {
    /** The feed of lifecycle events, oldest first, resumable from the beginning: `GET /api/v1/events` */ page(query?: { /** Continue behind this place of an earlier page. */ readonly after?: number; /** Goes on where this reader of yours has committed, at `/event-consumers`. */ readonly consumer?: string; /** How many at most. */ readonly limit?: number; /** One or more, separated by commas; `message.*` is all that begin with `message.`. */ readonly types?: string | readonly string[]; /** As the `filters` of a webhook endpoint, as JSON: `{"channels":["sms"],"tags":["vip"],"metadata":{"plan":["gold","silver"]}}`. Only events with one of the channels, one of the tags, and each key with its value or one of them. */ readonly filters?: string; /** Seconds to wait for an event when there is none. */ readonly wait?: number; /** The last events before this sequence in place of those after one, oldest first all the same. What is larger than any sequence gives the newest. */ readonly before?: number }, options?: C.Options<"minLogPosition">): Promise<T.LifecycleEventPage>;
    /** The same feed as server-sent events; resumes behind Last-Event-ID, else where its consumer has committed: `GET /api/v1/events/stream` */ stream(query?: { /** Continue behind this place of an earlier page. */ readonly after?: number; /** Goes on where this reader of yours has committed, at `/event-consumers`. */ readonly consumer?: string; /** One or more, separated by commas; `message.*` is all that begin with `message.`. */ readonly types?: string | readonly string[]; /** As the `filters` of a webhook endpoint, as JSON: `{"channels":["sms"],"tags":["vip"],"metadata":{"plan":["gold","silver"]}}`. Only events with one of the channels, one of the tags, and each key with its value or one of them. */ readonly filters?: string }, options?: C.Options<"minLogPosition">): AsyncIterable<T.LifecycleEvent>;
  };
  /** The types of lifecycle events, each with its schema and an example: `GET /api/v1/event-types` */ eventTypes(options?: C.Options<"minLogPosition">): Promise<T.LifecycleEventTypes>;
  readonly eventConsumers: {
    /** List the readers of the feed whose cursor is kept here, each with its lag: `GET /api/v1/event-consumers` */ list(options?: C.Options<"minLogPosition">): Promise<T.FeedConsumers>;
    /** Get where a reader of the feed is: `GET /api/v1/event-consumers/{name}` */ get(name: string | number, options?: C.Options<"minLogPosition" | "ifNoneMatch">): Promise<T.FeedConsumer>;
    /** Forget a reader of the feed and its cursor: `DELETE /api/v1/event-consumers/{name}` */ delete(name: string | number, options?: C.Options<"idempotencyKey">): Promise<void>;
    /** Say that a reader has handled every event up to one; never moves it back: `POST /api/v1/event-consumers/{name}/commit` */ commit(name: string | number, body: T.FeedCursor, options?: C.Options<"idempotencyKey">): Promise<T.FeedConsumer>;
    /** Let a reader of the feed go on behind any event, an earlier one too; 0: from the first: `POST /api/v1/event-consumers/{name}/reset` */ reset(name: string | number, body: T.FeedCursor, options?: C.Options<"idempotencyKey">): Promise<T.FeedConsumer>;
  };
  readonly root: {
    /** The AsyncAPI document of the public topics: `GET /asyncapi.json` */ asyncapiJson(options?: C.Options<never>): Promise<Readonly<Record<string, unknown>>>;
    readonly evaluations: {
      readonly access: {
        /** The page of a link that shows a sandbox key; opening it spends nothing: `GET /evaluations/access/{token}` */ get(token: string | number, options?: C.Options<never>): Promise<string>;
        /** Show the sandbox key of a link, once; a minute long again to the same press: `POST /evaluations/access/{token}` */ create(token: string | number, body: Readonly<Record<string, string>>, options?: C.Options<never>): Promise<string>;
      };
      readonly take: {
        /** The page of the team's link to an evaluation: `GET /evaluations/take/{token}` */ get(token: string | number, options?: C.Options<never>): Promise<string>;
        /** Take an evaluation by the team's link: the first who comes: `POST /evaluations/take/{token}` */ create(token: string | number, body: Readonly<Record<string, string>>, options?: C.Options<never>): Promise<string>;
      };
    };
    /** Whether the process is alive: `GET /healthz` */ healthz(options?: C.Options<never>): Promise<T.ServiceStatus>;
    /** Whether the process is ready for requests; 503 while it is not: `GET /readyz` */ readyz(options?: C.Options<never>): Promise<T.ServiceStatus>;
    /** Metrics in the text format of Prometheus; as OpenMetrics, with traces as exemplars, where `Accept` prefers that: `GET /metrics` */ metrics(options?: C.Options<never>): Promise<string>;
  };
  /** The AsyncAPI document of the public topics: `GET /api/v1/asyncapi.json` */ asyncapiJson(options?: C.Options<never>): Promise<Readonly<Record<string, unknown>>>;
  readonly webhookEndpoints: {
    /** Add a webhook endpoint: `POST /api/v1/webhook-endpoints` */ create(body: T.CreateWebhookEndpoint, options?: C.Options<"idempotencyKey">): Promise<T.CreatedWebhookEndpoint>;
    /** List webhook endpoints, oldest first: `GET /api/v1/webhook-endpoints` */ list(query?: { /** How many at most. */ readonly limit?: number; /** `next_cursor` of an earlier page. */ readonly after?: string; /** `prev_cursor` of an earlier page. */ readonly before?: string }, options?: C.Options<"minLogPosition">): C.Listing<T.WebhookEndpoint, T.WebhookEndpointList>;
    /** Get a webhook endpoint, now or as of an earlier position or time: `GET /api/v1/webhook-endpoints/{id}` */ get(id: string | number, query?: { /** A position of the log, or a time by its clock (RFC 3339): the answer is as it was then. */ readonly as_of?: string }, options?: C.Options<"minLogPosition" | "ifNoneMatch">): Promise<T.WebhookEndpoint>;
    /** Change a webhook endpoint; what is left out stays: `PATCH /api/v1/webhook-endpoints/{id}` */ update(id: string | number, body: T.UpdateWebhookEndpoint, options?: C.Options<"idempotencyKey" | "ifMatch">): Promise<T.WebhookEndpoint>;
    /** Remove a webhook endpoint: `DELETE /api/v1/webhook-endpoints/{id}` */ delete(id: string | number, options?: C.Options<"idempotencyKey" | "ifMatch">): Promise<void>;
    /** Enable a webhook endpoint again: `POST /api/v1/webhook-endpoints/{id}/enable` */ enable(id: string | number, options?: C.Options<"idempotencyKey">): Promise<T.WebhookEndpoint>;
    /** Show the secret that signs: `GET /api/v1/webhook-endpoints/{id}/secret` */ secret(id: string | number, options?: C.Options<"minLogPosition">): Promise<T.WebhookSecret>;
    /** Make a new secret; the old one signs too until the overlap ends: `POST /api/v1/webhook-endpoints/{id}/rotate-secret` */ rotateSecret(id: string | number, body: T.RotateWebhookSecret, options?: C.Options<"idempotencyKey">): Promise<T.RotatedWebhookSecret>;
    /** Send a made-up event to a webhook endpoint: `POST /api/v1/webhook-endpoints/{id}/test` */ test(id: string | number, body: T.WebhookTestRequest, options?: C.Options<"idempotencyKey">): Promise<T.WebhookTest>;
    readonly deliveries: {
      /** List an endpoint's deliveries with every attempt, newest first: `GET /api/v1/webhook-endpoints/{id}/deliveries` */ list(id: string | number, query?: { /** How many at most. */ readonly limit?: number; /** `next_cursor` of an earlier page. */ readonly after?: string; /** `prev_cursor` of an earlier page. */ readonly before?: string; /** Its status. */ readonly status?: "pending" | "delivered" | "failed" | "discarded" }, options?: C.Options<"minLogPosition">): C.Listing<T.WebhookDelivery, T.WebhookDeliveryList>;
    };
    /** Get how an endpoint answers: success, duration and errors over fixed windows, and what waits: `GET /api/v1/webhook-endpoints/{id}/statistics` */ statistics(id: string | number, options?: C.Options<"minLogPosition">): Promise<T.WebhookStatistics>;
    readonly replay: {
      /** Try again every delivery that matches, by default what was not delivered: `POST /api/v1/webhook-endpoints/{id}/replay` */ create(id: string | number, body: T.StartWebhookReplay, options?: C.Options<"idempotencyKey" | "minLogPosition">): Promise<T.WebhookReplay>;
      /** How far a replay is: `GET /api/v1/webhook-endpoints/{id}/replay/{replay}` */ get(id: string | number, replay: string | number, options?: C.Options<"minLogPosition">): Promise<T.WebhookReplayProgress>;
      /** Cancel a replay: what was not sent yet is not sent: `POST /api/v1/webhook-endpoints/{id}/replay/{replay}/cancel` */ cancel(id: string | number, replay: string | number, options?: C.Options<"idempotencyKey">): Promise<T.CanceledWebhookReplay>;
    };
  };
  readonly webhookDeliveries: {
    /** List what was delivered of one event or of one message, to any endpoint, newest first: `GET /api/v1/webhook-deliveries` */ list(query?: { /** How many at most. */ readonly limit?: number; /** `next_cursor` of an earlier page. */ readonly after?: string; /** `prev_cursor` of an earlier page. */ readonly before?: string; /** Its status. */ readonly status?: "pending" | "delivered" | "failed" | "discarded"; /** An event's id, as the body of a webhook has it. */ readonly event_id?: string; /** A message's id: what was told of it, to any endpoint. */ readonly message_id?: string }, options?: C.Options<"minLogPosition">): C.Listing<T.WebhookDelivery, T.WebhookDeliveryList>;
    /** Try one delivery again: `POST /api/v1/webhook-deliveries/{id}/retry` */ retry(id: string | number, options?: C.Options<"idempotencyKey" | "minLogPosition">): Promise<T.WebhookRetry>;
    /** Get a delivery with its attempts and the request that is sent: `GET /api/v1/webhook-deliveries/{id}` */ get(id: string | number, options?: C.Options<"minLogPosition">): Promise<T.WebhookDeliveryWithRequest>;
  };
  readonly prices: {
    /** What messages cost a partner who has no list of its own: `GET /api/v1/prices/standard` */ standard(options?: C.Options<never>): Promise<T.PriceList>;
    /** What messages cost: `GET /api/v1/prices` */ get(options?: C.Options<"minLogPosition">): Promise<T.PriceList>;
    /** What one message would cost: `GET /api/v1/prices/preview` */ preview(query: { /** How the message travels. */ readonly channel: "sms" | "whatsapp" | "email" | "push" | "telegram" | "broadcast"; /** The recipient, in the form that is kept. */ readonly to: string; /** What the price counts. */ readonly segments?: number; /** What the message is for: `transactional`, `marketing` or `authentication`. */ readonly category?: "transactional" | "marketing" | "authentication"; /** For operators: by this list, as it is in force now, in place of the caller's. */ readonly list?: string }, options?: C.Options<"minLogPosition">): Promise<T.PricePreview>;
  };
  /** What you may do, and what is left of it now: `GET /api/v1/limits` */ limits(options?: C.Options<"minLogPosition" | "ifNoneMatch">): Promise<T.Limits>;
  readonly senderPools: {
    /** Make a pool of senders; messages may name it at once: `POST /api/v1/sender-pools` */ create(body: T.CreateSenderPool, options?: C.Options<"idempotencyKey">): Promise<T.SenderPool>;
    /** Your pools of senders; for operators those of gateways too: `GET /api/v1/sender-pools` */ list(query?: { /** How many at most. */ readonly limit?: number; /** `next_cursor` of an earlier page. */ readonly after?: string; /** `prev_cursor` of an earlier page. */ readonly before?: string; /** How the message travels. */ readonly channel?: "sms" | "whatsapp" | "email" | "push" | "telegram" | "broadcast"; /** `live` or `sandbox`. */ readonly environment?: "live" | "sandbox" }, options?: C.Options<"minLogPosition">): C.Listing<T.SenderPool, T.SenderPoolList>;
    /** A pool of senders: `GET /api/v1/sender-pools/{id}` */ get(id: string | number, options?: C.Options<"minLogPosition" | "ifNoneMatch">): Promise<T.SenderPool>;
    /** Change a pool of senders; in force everywhere within a second: `PATCH /api/v1/sender-pools/{id}` */ update(id: string | number, body: T.PatchSenderPool, options?: C.Options<"idempotencyKey" | "ifMatch">): Promise<T.SenderPool>;
    /** Remove a pool of senders; what was accepted keeps its sender: `DELETE /api/v1/sender-pools/{id}` */ delete(id: string | number, options?: C.Options<"idempotencyKey" | "ifMatch">): Promise<void>;
  };
  readonly keys: {
    /** Issue an API key: `POST /api/v1/keys` */ create(body: T.IssueKey, options?: C.Options<"idempotencyKey">): Promise<T.IssuedKey>;
    /** List API keys, oldest first: `GET /api/v1/keys` */ list(query?: { /** How many at most. */ readonly limit?: number; /** `next_cursor` of an earlier page. */ readonly after?: string; /** `prev_cursor` of an earlier page. */ readonly before?: string }, options?: C.Options<"minLogPosition">): C.Listing<T.Key, T.KeyList>;
    /** One API key: `GET /api/v1/keys/{id}` */ get(id: string | number, options?: C.Options<"minLogPosition">): Promise<T.Key>;
    /** Revoke an API key: `DELETE /api/v1/keys/{id}` */ delete(id: string | number, options?: C.Options<"idempotencyKey" | "ifMatch">): Promise<void>;
    /** Make the successor of an API key; the old one works too until the overlap ends: `POST /api/v1/keys/{id}/rotate` */ rotate(id: string | number, body: T.RotateKey, options?: C.Options<"idempotencyKey" | "ifMatch">): Promise<T.RotatedKey>;
  };
  readonly audit: {
    /** Who changed what of the partner, sent, or was refused, and what the platform did by itself, newest first: `GET /api/v1/audit` */ list(query?: { /** How many at most. */ readonly limit?: number; /** `next_cursor` of an earlier page. */ readonly after?: string; /** `prev_cursor` of an earlier page. */ readonly before?: string; /** The id of a key or an agent, `ops`, `unknown`, or for what the platform did by itself a service such as `service:wallet`. */ readonly actor?: string; /** A call, or for what the platform did by itself the type of its event. */ readonly action?: string; /** A path, an id that stands in one, or the id of what was made. */ readonly target?: string; /** Inclusive. */ readonly from?: string; /** Exclusive. */ readonly to?: string }, options?: C.Options<"minLogPosition">): C.Listing<T.AuditEntry, T.AuditList>;
    /** The same as a file: `GET /api/v1/audit/export` */ export(query?: { /** The id of a key or an agent, `ops`, `unknown`, or for what the platform did by itself a service such as `service:wallet`. */ readonly actor?: string; /** A call, or for what the platform did by itself the type of its event. */ readonly action?: string; /** A path, an id that stands in one, or the id of what was made. */ readonly target?: string; /** Inclusive. */ readonly from?: string; /** Exclusive. */ readonly to?: string; /** What the file is. */ readonly format?: "csv" }, options?: C.Options<"minLogPosition">): Promise<string>;
  };
  readonly evaluations: {
    /** Ask for an evaluation; the answer is the same for every address: `POST /api/v1/evaluations` */ create(body: T.RequestEvaluation, options?: C.Options<"idempotencyKey">): Promise<T.RequestedEvaluation>;
    /** What a page that has a form for evaluations hides in it, anew for each rendering: `GET /api/v1/evaluations/form` */ form(options?: C.Options<never>): Promise<T.EvaluationForm>;
  };
  /** Whether the platform is ready, and how far its consumers are behind: `GET /api/v1/status` */ status(options?: C.Options<never>): Promise<T.PlatformState>;
  /** This document: `GET /api/v1/openapi.json` */ openapiJson(options?: C.Options<never>): Promise<Readonly<Record<string, unknown>>>;
  /** Whether the process is alive: `GET /api/v1/healthz` */ healthz(options?: C.Options<never>): Promise<T.ServiceStatus>;
  /** Whether the process is ready for requests; 503 while it is not: `GET /api/v1/readyz` */ readyz(options?: C.Options<never>): Promise<T.ServiceStatus>;
  /** Metrics in the text format of Prometheus; as OpenMetrics, with traces as exemplars, where `Accept` prefers that: `GET /api/v1/metrics` */ metrics(options?: C.Options<never>): Promise<string>;
};
