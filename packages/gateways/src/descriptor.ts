import type { Channel, Environment, EventData, Failure } from "@heliograph/contracts";
import type { z } from "zod";
import type { Email } from "@heliograph/channels";
import type { Callbacks } from "./callbacks.ts";
import type { AskProvider, FileAddress } from "./received-file.ts";
import type {
  Attempt,
  DeclaringSettings,
  Gateway,
  GatewayConfig,
  GatewayTools,
  Receipt,
} from "./types.ts";

/** A receipt and how long after the provider's answer it arrives. */
export type DelayedReceipt = { readonly delayMs: number; readonly receipt: Receipt };

/** What a provider accepted, as far as its receipts depend on it. */
export type AcceptedAttempt = {
  readonly messageId: string;
  readonly attempt: number;
  readonly attemptId: string;
  readonly channel: Channel;
  readonly to: string;
  readonly gateway: string;
  readonly providerMessageId: string;
};

/** Credentials by their names. */
export type Secrets = Readonly<Record<string, string>>;

/** A gateway as the settings of a process declare it; what is left out is as with every gateway. */
export type Declaration = Pick<
  GatewayConfig,
  "environment" | "name" | "channel" | "on_uncertain" | "settings"
> &
  Partial<Pick<GatewayConfig, "weight" | "max_concurrent" | "timeout_ms">> & {
    readonly secrets?: Secrets;
    /** Where it stands in the settings, for who has to mend it. */
    readonly variable?: string;
  };

/** What a provider told of a person, as `InboundReceived` keeps it. */
export type InboundRequest = {
  readonly raw: Buffer;
  readonly contentType: string;
  /** What came beside the bytes. */
  readonly files?: EventData<"InboundReceived">["files"];
  readonly gateway: { readonly name: string; readonly channel: Channel };
};
/** What is in it. Addresses are in the one form of their channel. */
export type InboundReading = {
  readonly providerMessageId: string;
  readonly from: string;
  /** Ours: the address that was written to. */
  readonly to: string;
  readonly text?: string | undefined;
  readonly html?: string | undefined;
  readonly subject?: string | undefined;
  readonly media?: readonly InboundMedia[] | undefined;
  /** Files that the provider keeps and gives to the gateway alone: they are fetched and kept once it is known whose message it is. */
  readonly files?: readonly InboundFile[] | undefined;
  /** What the person calls itself there. */
  readonly profileName?: string | undefined;
  /** A reaction or an edit is no message of its own: `about` is the provider's id of the one it is about. */
  readonly kind: "message" | "reaction" | "edit";
  readonly about?: string | undefined;
  /** Another address of the same person's, by the provider: whoever writes from it later is known. */
  readonly alias?: string | undefined;
  /** Nobody wrote: the provider tells that `from` has this address now. */
  readonly movedTo?: string | undefined;
  /** Of a mail: the Message-IDs that it refers to, as `mailReferences` of channels reads them. */
  readonly references?: readonly string[] | undefined;
  /** A machine wrote it (RFC 3834). */
  readonly automatic?: boolean | undefined;
  /** Nothing says that it is its sender's. */
  readonly unverified?: boolean | undefined;
  /** When it was written, as the provider has it: RFC 3339. */
  readonly at?: string | undefined;
};
export type InboundMedia = {
  readonly url: string;
  readonly type?: string | undefined;
  readonly name?: string | undefined;
  readonly bytes?: number | undefined;
};

/** `file` is what the provider calls it, which `fileOf` of the kind makes an address of. */
export type InboundFile = Omit<InboundMedia, "url"> & { readonly file: string };

/** What is wrong with one part of a configuration beside the others: `secrets.dkim_private_key`. */
export type ConfigurationFault = { readonly path: string; readonly message: string };

/** By what a gateway knows its mail. */
export type MailRules<Settings> = {
  readonly settings: Settings;
  readonly gatewayId: string;
  readonly masterKey: Buffer;
};

/** What a kind is, whatever its settings and secrets look like. */
type Common = {
  readonly kind: string;
  readonly channels: readonly Channel[];
  /** Where gateways of it may be made. The sandbox is only for what can reach nobody. */
  readonly environments: readonly Environment[];
  /** Where operators may add one; left out, wherever one may be. */
  readonly addedIn?: readonly Environment[];
  /** What it may answer an attempt with that it does not take. */
  readonly errors: Readonly<Record<string, Pick<Failure, "class" | "permanent">>>;
  /** Whether a recipient of its channel is one of this provider's; left out: every one is. */
  readonly reaches?: (to: string) => boolean;
  /** Further fields of a configuration whose change needs a new connection; other limits and weights change in place. */
  readonly rebuiltBy: readonly ("max_concurrent" | "timeout_ms")[];
  /** Whether the provider can be asked what became of an attempt. */
  readonly asks: boolean;
  /** False where the recipients choose the outcomes: they say nothing about the gateway, so nothing may be kept away from it. */
  readonly hasBreaker: boolean;
  /** Its provider keeps lists by name: what goes to one, it sends to everybody on it. */
  readonly keepsLists?: true;
  /** Receipts that are played for it because nobody sends any. Pure: `sentAt` (epoch ms) is when the acceptance was recorded. */
  readonly playedReceipts?: (sent: AcceptedAttempt, sentAt: number) => readonly DelayedReceipt[];
  /** Reads what a person sent through it; pure, and throws for what is nothing of that kind. Left out where nobody answers. */
  readonly inbound?: (request: InboundRequest) => InboundReading | Promise<InboundReading>;
  /** The gateways that the settings of a process stand for. */
  readonly declared?: (settings: DeclaringSettings) => readonly Declaration[];
  /**
   * What a configuration of an earlier release stands for, when its settings are not those of this one. The credentials of such a one are in the settings of the process.
   */
  readonly earlier?: (
    settings: GatewayConfig["settings"],
    declared: readonly Declaration[],
  ) => Pick<Declaration, "settings" | "secrets"> | undefined;
};

/** The gateway that another one goes through, and the pace of what does. */
export type Through = {
  readonly gateway: string;
  readonly perSecond?: number | undefined;
};

/** How a kind is written: `settings` stand readable in the event that configures a gateway, `secrets` are sealed there. */
type Definition<Settings, Known> = Common & {
  readonly settings: z.ZodType<Settings>;
  readonly secrets: z.ZodType<Known>;
  /** What settings and secrets lack of each other, once each is sound by itself. */
  readonly fault?: (settings: Settings, secrets: Known) => ConfigurationFault | undefined;
  /** The one form of an address, where mail that comes to it is for such a gateway; left out where none ever is. */
  readonly takesMail?: (address: Email, rules: MailRules<Settings>) => string | undefined;
  /** Under which domains mail comes back to such a gateway. */
  readonly mailDomains?: (settings: Settings) => readonly string[];
  /** What the provider sends by itself; left out where it sends nothing. */
  readonly callbacks?: Callbacks<Settings, Known>;
  /** What a request to the provider would look like, without its secrets, for who tries a configuration; left out where there is nothing to see. */
  readonly preview?: (attempt: Attempt, config: GatewayConfig, settings: Settings) => object;
  /** The sender that a message which names none has there; left out where the provider chooses. */
  readonly ownSender?: (settings: Settings) => string | undefined;
  /** Whose national tables of GSM-7 it sends, by the numbers of TS 23.038; left out where none. */
  readonly languages?: (settings: Settings) => readonly number[];
  /** Which gateway it goes through, where it has no provider of its own. */
  readonly through?: (settings: Settings) => Through;
  /** Where a file is that a person sent through it. Throws NoReceivedFile. Left out where files come with addresses that anybody may open, or none come. */
  readonly fileOf?: (
    file: string,
    parts: { readonly settings: Settings; readonly secrets: Known },
    ask: AskProvider,
  ) => Promise<FileAddress>;
  /** Connects nothing yet, so that a gateway that nobody uses costs nothing. */
  readonly create: (parts: {
    readonly config: GatewayConfig;
    readonly settings: Settings;
    readonly secrets: Known;
    readonly tools: GatewayTools;
  }) => Gateway;
};

/**
 * Everything that differs from one kind of provider to the next. A kind is a folder with one of these, listed in `registry.ts`; nothing else names it, and the contract
 * test runs every one.
 */
export type GatewayKind = Common & {
  readonly settings: z.ZodType;
  readonly secrets: z.ZodType;
  /** With settings and secrets as they are stored. `verify` throws ZodError where they are not what the kind needs. */
  readonly callbacks?: Callbacks<unknown, Secrets>;
  readonly preview?: (attempt: Attempt, config: GatewayConfig) => object;
  /** Of settings and secrets that each fit their schema. */
  readonly fault?: (settings: unknown, secrets: unknown) => ConfigurationFault | undefined;
  readonly takesMail?: (address: Email, rules: MailRules<unknown>) => string | undefined;
  readonly mailDomains?: (settings: unknown) => readonly string[];
  readonly ownSender?: (settings: unknown) => string | undefined;
  readonly languages?: (settings: unknown) => readonly number[];
  /** Undefined where the settings are not those of the kind. */
  readonly through?: (settings: GatewayConfig["settings"]) => Through | undefined;
  /** Throws NoReceivedFile, and ZodError when settings or secrets are not what the kind needs. */
  readonly fileOf?: (
    file: string,
    parts: { readonly settings: unknown; readonly secrets: unknown },
    ask: AskProvider,
  ) => Promise<FileAddress>;
  /** Throws ZodError when settings or secrets are not what the kind needs. */
  readonly open: (config: GatewayConfig, secrets: Secrets, tools: GatewayTools) => Gateway;
};

export function gatewayKind<Settings, Known>(definition: Definition<Settings, Known>): GatewayKind {
  const { create, callbacks, preview, through, ownSender, languages, ...rest } = definition;
  const { fault, takesMail, mailDomains, fileOf, ...kind } = rest;
  return {
    ...kind,
    ...(fileOf !== undefined && { fileOf: checkedFileOf(definition, fileOf) }),
    ...(callbacks !== undefined && { callbacks: checkedCallbacks(definition, callbacks) }),
    ...(preview !== undefined && {
      preview: (attempt, config) =>
        preview(attempt, config, definition.settings.parse(config.settings)),
    }),
    ...(fault !== undefined && {
      fault: (settings, secrets) =>
        fault(definition.settings.parse(settings), definition.secrets.parse(secrets)),
    }),
    ...(takesMail !== undefined && {
      takesMail: (address, { settings: given, ...rules }) => {
        const settings = definition.settings.safeParse(given).data;
        return settings === undefined ? undefined : takesMail(address, { ...rules, settings });
      },
    }),
    ...(mailDomains !== undefined && {
      mailDomains: (given) => {
        const settings = definition.settings.safeParse(given).data;
        return settings === undefined ? [] : mailDomains(settings);
      },
    }),
    ...(ownSender !== undefined && {
      ownSender: (given) => {
        const settings = definition.settings.safeParse(given).data;
        return settings === undefined ? undefined : ownSender(settings);
      },
    }),
    ...(languages !== undefined && {
      languages: (given) => {
        const settings = definition.settings.safeParse(given).data;
        return settings === undefined ? [] : languages(settings);
      },
    }),
    ...(through !== undefined && {
      through: (given) => {
        const known = definition.settings.safeParse(given);
        return known.success ? through(known.data) : undefined;
      },
    }),
    open: (config, secrets, tools) =>
      create({
        config,
        settings: definition.settings.parse(config.settings),
        secrets: definition.secrets.parse(secrets),
        tools,
      }),
  };
}

const checkedFileOf =
  <Settings, Known>(
    { settings, secrets }: Definition<Settings, Known>,
    fileOf: NonNullable<Definition<Settings, Known>["fileOf"]>,
  ): NonNullable<GatewayKind["fileOf"]> =>
  async (file, parts, ask) =>
    fileOf(
      file,
      { settings: settings.parse(parts.settings), secrets: secrets.parse(parts.secrets) },
      ask,
    );

function checkedCallbacks<Settings, Known>(
  { settings, secrets }: Definition<Settings, Known>,
  { calls, toldThrough, verify, read, idKeys, partOf, ...rest }: Callbacks<Settings, Known>,
): Callbacks<unknown, Secrets> {
  // Of history, whose settings may be those of another release.
  const known = (given: unknown): Settings | undefined => settings.safeParse(given).data;
  return {
    ...rest,
    ...(calls !== undefined && {
      calls: (given) => {
        const sound = known(given);
        return sound !== undefined && calls(sound);
      },
    }),
    ...(toldThrough !== undefined && {
      toldThrough: (given, callback) => {
        const sound = known(given);
        return sound === undefined ? [] : toldThrough(sound, callback);
      },
    }),
    ...(verify !== undefined && {
      verify: (request, given) =>
        verify(request, {
          settings: settings.parse(given.settings),
          secrets: secrets.parse(given.secrets),
        }),
    }),
    read: (callback, gateway, given) => read(callback, gateway, known(given)),
    ...(idKeys !== undefined && { idKeys: (id, given) => idKeys(id, known(given)) }),
    ...(partOf !== undefined && {
      partOf: (accepted, reported, given) => partOf(accepted, reported, known(given)),
    }),
  };
}

/** A gateway that must not exist where it was asked for, or whose configuration cannot work. The message names the gateway. */
export class GatewayRefused extends Error {
  override readonly name = "GatewayRefused";
  /** Which part of the configuration, such as `settings.url`, and what is wrong with it, where it is one part. */
  readonly fault: ConfigurationFault | undefined;

  constructor(message: string, { fault, ...options }: RefusedOptions = {}) {
    super(message, options);
    this.fault = fault;
  }
}
type RefusedOptions = ErrorOptions & {
  readonly fault?: ConfigurationFault;
};
