import type { Channel, Content, EventData, Failure, Segments } from "@heliograph/contracts";

/** One call to a provider. `attemptId` is the client reference: the same attempt sent twice carries the same one. */
export type Attempt = {
  readonly attemptId: string;
  readonly messageId: string;
  /** From 1; a resend after an uncertain answer keeps its number. */
  readonly attempt: number;
  /** The first attempt that the recipient's server asked this gateway to repeat later, with nothing sent since: the server is to see that one come back. */
  readonly firstPutOff?: number;
  readonly channel: Channel;
  readonly to: string;
  /** `to` is the name of a list that the provider keeps, and the message is for everybody on it. */
  readonly toList?: true;
  readonly from?: string;
  readonly replyTo?: string;
  readonly unsubscribeUrl?: string;
  /** The Message-ID of the mail that it answers, with its angle brackets. */
  readonly inReplyTo?: string;
  /** What that mail refers to, oldest first. */
  readonly references?: readonly string[];
  readonly category?: EventData<"MessageRequested">["category"];
  readonly content: Omit<Content, "media">;
  /** The national tables that the text of an SMS was counted with. */
  readonly national?: Segments["national"];
  /** Files that go with it; those of ours by links that expire. */
  readonly media?: readonly Media[];
  /** What they are, for a gateway that takes files. */
  readonly files?: readonly AttachedFile[];
  /** No person wrote it: it answers a keyword. */
  readonly automatic?: true;
  /** How much longer it may be delivered. */
  readonly validForSeconds?: number;
  /** Of a push: what the application on the device is told beside the text. */
  readonly data?: Readonly<Record<string, string>>;
  readonly partner: string;
  /** The trace that the call is part of, for a provider that is to continue it. */
  readonly traceparent?: string;
};

type Media = Omit<NonNullable<Content["media"]>[number], "url" | "attachment_id"> & {
  readonly url: string;
  /** Of a file of ours: what it is read by. */
  readonly attachmentId?: string;
};

export type AttachedFile = {
  readonly name?: string;
  readonly type?: string;
  readonly content: Buffer;
};

/** What a provider made of an attempt. `uncertain` means that it may or may not have taken the message. */
export type ProviderAnswer =
  | {
      readonly type: "accepted";
      readonly providerMessageId: string;
      /** Where what the recipient sees has another one besides. */
      readonly serverMessageId?: string;
      readonly status: string;
    }
  /**
   * `error.permanent` tells whether another attempt can help. `gone`: the recipient will never take anything again, so an address that is kept may be forgotten, unless it was registered after
   * `since` (epoch ms), where the provider says since when. `thisRecipient`: it was said of this recipient alone, so whatever the reason is, it tells nothing of what the gateway does for others.
   */
  | {
      readonly type: "rejected";
      readonly error: Failure;
      readonly gone?: { readonly since?: number };
      readonly thisRecipient?: true;
    }
  | { readonly type: "uncertain"; readonly cause: "timeout" | "connection_lost" };

/**
 * What a call came to. `unavailable`: no connection could be made, or the provider takes no more for now, so nothing was taken and it was no attempt; the message waits or goes elsewhere, not before
 * `retryAfterMs` where the gateway knows a time. `throttles`: whom the provider takes no more for.
 */
export type SendResult =
  | ProviderAnswer
  | {
      readonly type: "unavailable";
      readonly error: Failure;
      readonly retryAfterMs?: number;
      readonly throttles?: Throttles;
    };

/** Whom a provider takes no more for: anybody, this recipient alone, or the one or the other where it does not say which. */
export type Throttles = "gateway" | "recipient" | "unknown";

/** A connection to an upstream provider for one channel. */
export type Gateway = {
  readonly name: string;
  readonly kind: string;
  /** It sends files themselves and not links to them: whoever calls `send` reads them before, so that a file that cannot be read is no fault of the provider's. */
  readonly takesFiles?: true;
  /** Never throws for what a provider does, and settles soon after `signal` is aborted. */
  send(attempt: Attempt, signal: AbortSignal): Promise<SendResult>;
  /** Asks the provider what became of an attempt; absent where the provider cannot be asked. */
  lookup?(attemptId: string, signal: AbortSignal): Promise<SendResult | "unknown">;
  /** Reaches the provider and has it accept the credentials, without sending anything; rejects with what went wrong. Absent where there is nobody to reach. */
  check?(signal: AbortSignal): Promise<void>;
  /** Begins to take what the provider sends by itself over a connection of the gateway's; absent where there is no such thing. Who only sends, or only checks, leaves it. */
  listen?(): void;
  close(): Promise<void>;
};

/** A gateway as another one goes through it: who opened it closes it. */
export type Carrier = Pick<Gateway, "send" | "check">;

export type GatewayConfig = EventData<"GatewayConfigured">;
export type Receipt = EventData<"ReceiptReceived">;

/** The settings of a process that stand for gateways. */
export type DeclaringSettings = {
  readonly smtpUrls: readonly string[];
  readonly logGatewayChannels: readonly string[];
};

/** What a gateway may use of the process it lives in. */
export type GatewayTools = {
  readonly logger: { info(fields: object, message: string): void };
  /** Opens what is sealed in the configuration. */
  readonly masterKey: Buffer;
  /** Configurations of earlier releases name their credentials in these. */
  readonly declaring: DeclaringSettings;
  /** A receipt of a message that the gateway itself knows, possibly before `send` answers. Settles once it is stored, and rejects when it cannot be. */
  readonly onReceipt: (receipt: Receipt, partner: string) => Promise<void>;
  /**
   * The provider says that the recipient has another address now, which is kept. Gives whether he may be written to there, and rejects where that cannot be known; absent where nobody
   * keeps it.
   */
  readonly onMoved?: (attempt: Attempt, to: string) => Promise<boolean>;
  /** The open gateway of this id in the same environment; absent where none can be gone through. */
  readonly carrier?: (gatewayId: string) => Carrier | undefined;
  /** Where providers reach us, without a slash at the end. */
  readonly origin: string;
  /**
   * Stores what a provider tells over the gateway's own connection, as it came; resolves once it is durable, and only then may the provider be told so. What it means the
   * kind's `callbacks.read` says later. Rejects when the log is away; absent where nobody reads it: then the provider is to keep it.
   */
  readonly received?: (callback: {
    readonly gateway: GatewayConfig;
    readonly contentType: string;
    readonly body: Buffer;
  }) => Promise<unknown>;
};
