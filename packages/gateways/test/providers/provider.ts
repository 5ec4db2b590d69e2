import type { CallbackRequest, GatewayConfig, GatewayTools } from "../../src/index.ts";

/** What a provider can do to us. */
export type Weather =
  | "accept"
  /** Refuses for good. */
  | "reject"
  /** Refuses for now. */
  | "throttle"
  /** Refuses for now, and says for how long: 7 s. */
  | "wait"
  /** Takes the message and does not answer. */
  | "hang"
  /** Takes the message, and its answer is lost. */
  | "lost answer"
  /** Answers what is no answer. */
  | "garbage"
  /** Nobody listens there. */
  | "away";

/** What it can report of a message, whatever the words of its own. */
export type Told = "sent" | "delivered" | "undelivered";

/** A provider of one kind that runs, and can be told how to behave. */
export type Provider = {
  readonly config: Partial<GatewayConfig>;
  /** What nobody may see of the configuration. */
  readonly secrets: Readonly<Record<string, string>>;
  /** What its gateway is to use of the process beside the usual. */
  readonly tools?: Partial<GatewayTools>;
  /** The recipient of the next messages. Undefined: the kind cannot come to that. */
  weather(weather: Weather): string | undefined;
  /** References of the messages that it took, a repeated one as often as it was taken; undefined where there is nothing to look into. */
  taken(): readonly string[] | undefined;
  /** A callback about a message, signed as the provider signs; left out where it calls nobody. */
  readonly callback?: (providerMessageId: string, told: Told) => CallbackRequest;
  /** How it would name two messages, where their ids have a form of their own. */
  readonly named?: readonly [string, string];
  /** What it reports in other words than most, or not at all. */
  readonly words?: Partial<Readonly<Record<Told, "bounced" | "nothing">>>;
  /** How it shows that it is the one, where it does not sign what it posts: by a secret beside it, or by nothing but the address. */
  readonly proof?: "secret" | "address";
  /** It takes no reference of ours: what was taken twice looks alike. */
  readonly takesNoReference?: true;
  /** It calls about what people write, and tells nothing of messages. */
  readonly confirmsNothing?: true;
  close(): Promise<void>;
};
