import type { Append } from "@heliograph/log";

/** A call as the intent's row keeps it: message, attempt, number of the outcome, gateway. */
export type IntendedCall = readonly [
  messageId: string,
  attempt: number,
  call: number,
  gateway: string,
];
export type Intent = {
  readonly id: string;
  readonly calls: readonly IntendedCall[];
  readonly decided: readonly Append[];
  /** Something in the row cannot be read: it stays until somebody has mended or removed it. */
  readonly damaged: boolean;
  /** Messages that it names, and of which it does not tell any more what was announced. */
  readonly unreadable: readonly string[];
};

const callForm = /\["(msg_[0-9A-Z]{26})",(\d{1,9}),(\d{1,9}),"([^"\\]{1,64})"\]/g;
const messageForm = /(?:msg_|message-)([0-9A-Z]{26})/g;

/** The columns of a row as they are stored. */
export type IntentRow = {
  readonly id: string;
  readonly calls: string;
  readonly decided: string | null;
};

/**
 * What a row announces. Of one that is damaged everything that can be read still counts: calls one by one, appends all or none. The messages that are named beside that are `unreadable`:
 * whether something was done for them nobody can tell.
 */
export function readIntent({ id, calls: callText, decided: appendText }: IntentRow): Intent {
  const calls = parsed(callText, isCalls);
  const decided = appendText === null ? [] : parsed(appendText, isAppends);
  if (calls !== undefined && decided !== undefined)
    return { id, calls, decided, damaged: false, unreadable: [] };
  const salvaged = calls ?? [...callText.matchAll(callForm)].map(callOf);
  const known = new Set(salvaged.map(([message]) => message));
  const named = [
    ...(calls === undefined ? messagesIn(callText.replaceAll(callForm, "")) : []),
    ...(decided === undefined ? messagesIn(appendText!) : []),
  ];
  return {
    id,
    calls: salvaged,
    decided: decided ?? [],
    damaged: true,
    unreadable: [...new Set(named)].filter((message) => !known.has(message)),
  };
}

function parsed<Value>(text: string, is: (value: unknown) => value is Value): Value | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return is(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

const isCalls = (value: unknown): value is IntendedCall[] =>
  Array.isArray(value) &&
  value.every(
    (call: unknown) =>
      Array.isArray(call) &&
      typeof call[0] === "string" &&
      Number.isInteger(call[1]) &&
      Number.isInteger(call[2]) &&
      typeof call[3] === "string",
  );

const isAppends = (value: unknown): value is Append[] =>
  Array.isArray(value) &&
  value.every(
    (append: Partial<Append> | null) =>
      typeof append?.stream === "string" &&
      Array.isArray(append.events) &&
      (typeof append.expected === "string" || Number.isInteger(append.expected)),
  );

const callOf = ([, message, attempt, number, gateway]: RegExpMatchArray): IntendedCall => [
  message!,
  Number(attempt),
  Number(number),
  gateway!,
];

const messagesIn = (text: string): readonly string[] =>
  [...text.matchAll(messageForm)].map(([, id]) => `msg_${id}`);
