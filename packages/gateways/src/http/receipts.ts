import {
  eachItem,
  type Callback,
  type CallbackItem,
  type CallbackRequest,
  type Verdict,
} from "../callbacks.ts";
import { billedAs } from "../failure.ts";
import { genericFailure } from "./errors.ts";
import { valueAt, wordAt } from "./pointer.ts";
import { jsonIn } from "../json-in.ts";
import { type HttpSettings, isFailure } from "./settings.ts";

/** A provider without a scheme of its own proves by the address alone that it is the one: the token in it is known to nobody else. Where no receipts are configured nobody calls. */
export const verifyHttp = (_: CallbackRequest, settings: HttpSettings): Verdict => ({
  kind: settings.receipts === undefined ? "forged" : "genuine",
});

/** JSON or a form, with one report or a list of them, by the pointers of the configuration. */
export function readHttp(
  { body, contentType }: Callback,
  gateway: { readonly name: string },
  settings: HttpSettings | undefined,
): readonly CallbackItem[] {
  const receipts = settings?.receipts;
  if (receipts === undefined)
    return [{ kind: "unreadable", why: "the gateway has no settings for receipts any more" }];
  const text = body.toString("utf8");
  const whole = /x-www-form-urlencoded/i.test(contentType)
    ? Object.fromEntries(new URLSearchParams(text))
    : jsonIn(text);
  const list = receipts.items === undefined ? whole : valueAt(whole, receipts.items);
  return eachItem(Array.isArray(list) ? list : [list], (item) => {
    const id = wordAt(item, receipts.id);
    const word = wordAt(item, receipts.status);
    if (id === undefined || word === undefined)
      return { kind: "unreadable", why: "there is no id or no status at its pointer" };
    const status = Object.hasOwn(receipts.map, word) ? receipts.map[word] : undefined;
    if (status === undefined) return { kind: "ignored", what: word.slice(0, 64) };
    const bad = isFailure(status);
    const text = `the provider reported ${word}`;
    const reason = status === "deferred" ? "provider_deferred" : "undelivered";
    return {
      kind: "report",
      report: {
        providerMessageId: id,
        eventId: `${id.slice(0, 180)}.${word.slice(0, 64)}`,
        status,
        ...(bad && {
          permanent: status !== "deferred",
          error: billedAs(
            genericFailure(gateway.name, reason, { code: word, text }),
            receipts.billable?.includes(word) === true,
          ),
          diagnostic: text,
        }),
      },
    };
  });
}
