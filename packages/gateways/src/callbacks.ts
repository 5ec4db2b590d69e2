import type { Channel, MasterKey } from "@heliograph/contracts";
import type { Receipt } from "./types.ts";

/** A request of a provider, as it came over HTTP. */
export type CallbackRequest = {
  readonly method: string;
  /** As the provider called it: our public origin with path and query as received, byte for byte; no fragment. */
  readonly url: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
};

/** What a request is by its signature. Nothing else of it has been looked at. */
export type Verdict =
  | { readonly kind: "genuine" }
  | { readonly kind: "forged" }
  /**
   * Something at an address of the provider's has to be known first: what is there decides, and `decide` throws where it is of no use. The address is one of the provider's by its whole form. `keep`: it is the same for long (a certificate).
   */
  | {
      readonly kind: "asks";
      readonly url: string;
      readonly keep: boolean;
      readonly decide: (text: string) => Verdict;
    }
  /** The provider asks whether somebody is there; this is to be said, and nothing is stored. */
  | { readonly kind: "handshake"; readonly answer: CallbackAnswer };

/** What the provider wants to hear. */
export type CallbackAnswer = {
  readonly status: number;
  readonly contentType?: string;
  readonly body?: string;
};

/** What came from a provider and is stored: by HTTP or over a connection of the gateway's own, where there is neither a URL nor a header. */
export type Callback = {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly contentType: string;
  readonly body: Buffer;
  /** RFC 3339. */
  readonly receivedAt: string;
};

/** What a provider says of a message, by its own id of it. */
export type Report = Pick<Receipt, "status" | "permanent" | "error" | "diagnostic"> & {
  readonly providerMessageId: string;
  /** Where the provider names it in several places that differ: looked for when the first is that of no message. */
  readonly otherIds?: readonly string[];
  /** Ours, where the provider gives it back: then even a message is found whose answer was lost. */
  readonly messageId?: string | undefined;
  /** Of that message, where the provider gives it back as well. */
  readonly attempt?: number | undefined;
  /** Nothing shows yet that it is about a message of ours: where it finds none it is about another program's, and waits for nothing. */
  readonly mayBeOthers?: true;
  /** The same for the same event of the provider's, however often it is told; at most 255 characters. */
  readonly eventId: string;
  /** The id of the gateway that sent it, where a signature of ours in what the provider gives back says so. */
  readonly sentBy?: string | undefined;
  /** When it happened by the provider, RFC 3339; left out: when it came. */
  readonly occurredAt?: string | undefined;
};

/** What speaks for a sender that anybody can write, as in mail. Left out where the provider knows who wrote. */
export type SenderClaim = {
  /** A server that is trusted has checked it. */
  readonly authenticated: boolean;
  /** What it answers: ids, which are known to whoever had the messages alone. */
  readonly answers: readonly string[];
  /** Those of our messages that it answers by ids which name them and are signed: they are believed even where no provider's answer was recorded. */
  readonly messages: readonly string[];
};

/** One of the things that a callback tells. */
export type CallbackItem =
  | { readonly kind: "report"; readonly report: Report }
  /** Something from a person: `raw` is what `inbound` of the kind reads. `from` is in the form of its channel or about to be brought into it. */
  | {
      readonly kind: "inbound";
      readonly providerMessageId: string;
      readonly from: string;
      readonly contentType: string;
      readonly raw: Buffer;
      readonly claim?: SenderClaim;
    }
  /**
   * One of `total` parts of something from a person: once all with the same `of` are there, or after a time without the rest, they are one message, whose `raw` are theirs behind
   * one another. A part that came twice is one.
   */
  | {
      readonly kind: "part";
      readonly providerMessageId: string;
      readonly from: string;
      readonly contentType: string;
      readonly raw: Buffer;
      readonly of: string;
      readonly number: number;
      readonly total: number;
    }
  /** Sound, and nothing that changes anything: a word that is not in the table, a state on the way. */
  | {
      readonly kind: "ignored";
      readonly what: string;
      /** What would prove it is of a key that is not given: read again later, it takes nothing back. */
      readonly unproven?: true;
    }
  /** Not understood: an operator is told, and it is read again once the parser is mended. */
  | { readonly kind: "unreadable"; readonly why: string };

/** By what a gateway's own signatures in a callback are told from made-up ones. */
export type Signer = {
  readonly gatewayId: string;
  /** The other gateways whose mail may come back to a domain; left out: it is alone. */
  readonly sharing?: (domain: string) => readonly string[];
  readonly masterKey: MasterKey;
};

/** What a kind does about what its provider sends by itself. */
export type Callbacks<Settings, Known> = {
  /** Whether the provider of such a gateway calls at all, where that is a matter of its settings; left out: it does. */
  readonly calls?: (settings: Settings) => boolean;
  /**
   * Tells by the provider's own scheme whether it sent this: over the bytes, in constant time, before anything is parsed. Left out where the provider calls nobody and
   * tells over a connection of the gateway's: then there is no address to call.
   */
  readonly verify?: (
    request: CallbackRequest,
    parts: { readonly settings: Settings; readonly secrets: Known },
  ) => Verdict;
  /**
   * Through what the provider tells several gateways at once, such as a topic: all that stand in the settings, or the one of them through which a callback came. What it tells one gateway, each that has
   * the same believes as well. Left out: each gateway is told of its own messages.
   */
  readonly toldThrough?: (
    settings: Settings,
    callback?: Pick<Callback, "body">,
  ) => readonly string[];
  /** What is said once it is stored; left out: 200 without a body. */
  readonly answer?: CallbackAnswer;
  /**
   * Everything in it. Pure, so that history can be read again; of `settings` it sees what the gateway has by now, undefined when it is gone. An item that is wrong is
   * `unreadable` and takes none of the others along (`eachItem`).
   */
  readonly read: (
    callback: Callback,
    gateway: Signer & { readonly name: string; readonly channel: Channel },
    settings: Settings | undefined,
  ) => readonly CallbackItem[] | Promise<readonly CallbackItem[]>;
  /**
   * What a provider's id of a message is found by: of the one it answered with, several where it gave several (parts), and of the one that it reports with. They meet where
   * one is the same. Left out: the id as it is. For providers that write one id in several ways.
   */
  readonly idKeys?: (
    providerMessageId: string,
    settings: Settings | undefined,
  ) => readonly string[];
  /** Which part of a message a report is about, where a provider took a message in several, each with an id of its own; undefined: it is about the whole. */
  readonly partOf?: (
    accepted: string,
    reported: string,
    settings: Settings | undefined,
  ) => { readonly number: number; readonly of: number } | undefined;
};

/** Reads a list of things that stand together; one that throws stops none of the others. */
export function eachItem<Raw>(
  list: readonly Raw[],
  read: (raw: Raw) => CallbackItem | readonly CallbackItem[],
): readonly CallbackItem[] {
  return list.flatMap((raw) => {
    try {
      return read(raw);
    } catch (error) {
      return unreadable(error);
    }
  });
}

/** Without what the provider sent: an error's text may quote it, and this one is shown to operators. */
export const unreadable = (error: unknown): CallbackItem => ({
  kind: "unreadable",
  why: error instanceof Error ? error.name : "it is not what the provider documents",
});
