import { accessSync, constants } from "node:fs";
import { BlockList, isIP } from "node:net";
import { z } from "zod";

/**
 * What a variable may hold: each gives the value that the text stands for, or says what is wrong with it, and brings what the page of settings says of it. A variable that is not
 * set, or empty, is `undefined` here.
 */
function kind<Value>(allowed: string, preset: string, read: (text: string | undefined) => Value) {
  return z
    .string()
    .optional()
    .transform((text, context) => {
      try {
        return read(text);
      } catch (error) {
        if (!(error instanceof Wrong)) throw error;
        context.addIssue({ code: "custom", message: error.message });
        return z.NEVER;
      }
    })
    .meta({ allowed, preset });
}

class Wrong extends Error {}

const code = (text: string): string => `\`${text}\``;

export const text = <Preset extends string | undefined = undefined>(preset?: Preset) =>
  kind(
    "text",
    preset === undefined ? "none" : code(preset),
    (given) => given ?? (preset as Preset),
  );

/** Written in digits: what JavaScript takes for a number besides (`0x10`, `1e3`, spaces) is a slip here. */
const number = (shape: RegExp, what: string, low: number, high: number, preset: number) =>
  kind(`${low}–${high}`, `${preset}`, (given = `${preset}`) => {
    const value = Number(given);
    if (!shape.test(given) || value < low || value > high)
      throw new Wrong(`"${given}" is not a ${what} from ${low} to ${high}`);
    return value;
  });
export const whole = (low: number, high: number, preset: number) =>
  number(/^\d{1,15}$/, "whole number", low, high, preset);
export const decimal = (low: number, high: number, preset: number) =>
  number(/^\d{1,15}(\.\d{1,15})?$/, "number", low, high, preset);

/** Without a preset the variable may be left open. */
export const choice = <Value extends string, Preset extends Value | undefined = undefined>(
  values: readonly Value[],
  preset?: Preset,
) =>
  kind(
    values.map(code).join(", "),
    preset === undefined ? "none" : code(preset),
    (given): Value | Preset => {
      if (given === undefined) return preset as Preset;
      const found = values.find((value) => value === given);
      if (found === undefined) throw new Wrong(`"${given}" is none of ${values.join(", ")}`);
      return found;
    },
  );

const items = (given: string | undefined): readonly string[] =>
  (given ?? "")
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");

/** Separated by commas. `what` says what each item must be, `allowed` the same on the page. */
export const list = (isItem: (item: string) => boolean, what: string, allowed: string) =>
  kind(`list of ${allowed}`, "none", (given) => {
    const all = items(given);
    const wrong = all.find((item) => !isItem(item));
    if (wrong !== undefined) throw new Wrong(`"${wrong}" is not ${what}`);
    return all;
  });

export const url = (protocols: readonly string[], allowed: string) =>
  kind(allowed, "none", (given) => {
    if (given === undefined) return undefined;
    checkUrl(given, protocols);
    return given;
  });

/** A comma in a password is written as %2C. */
export const urlList = (protocols: readonly string[], allowed: string) =>
  kind(`list of ${allowed}`, "none", (given) => {
    const all = items(given);
    for (const item of all) checkUrl(item, protocols);
    return all;
  });

/** The URL itself may hold a password, so it is not repeated. */
function checkUrl(given: string, protocols: readonly string[]): void {
  const begins = protocols.map((item) => `${item}//`).join(" or ");
  if (!URL.canParse(given) || !protocols.includes(new URL(given).protocol))
    throw new Wrong(`not a URL that begins with ${begins}`);
  // Names and passwords stand in a URL percent-encoded; one that cannot be decoded would be found out late, or taken as it is.
  const { username, password, pathname } = new URL(given);
  for (const part of [username, password, pathname])
    try {
      decodeURIComponent(part);
    } catch {
      throw new Wrong("a % in the user, password or name must be written as %25");
    }
}

/** Whose clocks are meant. A fixed offset (`+01:00`) is no zone: it would be wrong for half of the year. */
export const zone = (preset: string) =>
  kind("a zone of the IANA data base, such as `Europe/Berlin`", code(preset), (given = preset) => {
    try {
      if (!/^[A-Za-z]/.test(given)) throw new RangeError();
      new Intl.DateTimeFormat("en", { timeZone: given });
    } catch {
      throw new Wrong(`"${given}" is no zone such as Europe/Berlin`);
    }
    return given;
  });

const minuteOf = (text: string): number => Number(text.slice(0, 2)) * 60 + Number(text.slice(3));

/** Minutes of the day, from and to. */
export const hours = (preset: string) =>
  kind("`HH:MM-HH:MM`, within one day", code(preset), (given = preset) => {
    const [from = "", to = ""] = given.split("-");
    const isTime = (text: string): boolean => /^([01]\d|2[0-3]):[0-5]\d$/.test(text);
    if (!isTime(from) || !(isTime(to) || to === "24:00") || minuteOf(from) >= minuteOf(to))
      throw new Wrong(`"${given}" is not HH:MM-HH:MM, the earlier first`);
    return { fromMinute: minuteOf(from), toMinute: minuteOf(to) };
  });

/** `2026-12-25`. */
export const isDate = (text: string): boolean =>
  /^\d{4}-\d\d-\d\d$/.test(text) &&
  !Number.isNaN(Date.parse(text)) &&
  new Date(text).toISOString().startsWith(text);

export const masterKey = kind(
  "64 hexadecimal digits; two such keys, apart by a comma, while it is rotated",
  "none",
  (given) => {
    if (given === undefined) return undefined;
    const keys = given.split(",");
    if (keys.length > 2 || keys.some((key) => !/^[0-9a-f]{64}$/i.test(key)))
      throw new Wrong(
        "must be 64 hexadecimal digits (32 bytes), or two such keys apart by a comma",
      );
    return given;
  },
);

/** Where a server of ours listens: `0.0.0.0:25`, `[::]:25`. */
export const hostPort = (allowed: string) =>
  kind(allowed, "none", (given) => {
    if (given === undefined) return undefined;
    const [, host, digits] = /^(\[[0-9a-fA-F:.]+\]|[^\s:/[\]]+):(\d{1,5})$/.exec(given) ?? [];
    const port = Number(digits);
    if (host === undefined || port > 65_535) throw new Wrong(`"${given}" is not host:port`);
    return { host: host.replace(/^\[|\]$/g, ""), port };
  });

export const readableFile = (allowed: string) =>
  kind(allowed, "none", (given) => {
    if (given === undefined) return undefined;
    try {
      accessSync(given, constants.R_OK);
    } catch (error) {
      throw new Wrong(`${given} cannot be read (${(error as NodeJS.ErrnoException).code})`);
    }
    return given;
  });

/** What Express takes: a number of hops, or a list of addresses, CIDRs and its own names for ranges. */
export const trustedProxies = kind(
  "a number of proxies, or addresses and CIDRs of proxies",
  "none",
  (given) => {
    if (given === undefined || /^\d{1,3}$/.test(given)) return given;
    const isNamed = (item: string): boolean =>
      ["loopback", "linklocal", "uniquelocal"].includes(item);
    const wrong = items(given).find((item) => !isNamed(item) && isIP(item) === 0 && !isCidr(item));
    if (wrong !== undefined) throw new Wrong(`"${wrong}" is no number, address or CIDR`);
    return given;
  },
);

export function isCidr(item: string): boolean {
  const match = /^([^/]+)\/(\d{1,3})$/.exec(item);
  const family = match === null ? 0 : isIP(match[1]!);
  if (match === null || family === 0) return false;
  try {
    new BlockList().addSubnet(match[1]!, Number(match[2]), family === 4 ? "ipv4" : "ipv6");
    return true;
  } catch {
    return false;
  }
}
