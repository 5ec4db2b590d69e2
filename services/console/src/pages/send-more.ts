import { html, type Form, type Html } from "@heliograph/html";
import type { Problem } from "../client.ts";
import { checks, ticked } from "../view/forms.ts";
import { errorAt, field } from "../view/parts.ts";
import { channels } from "./messages.ts";

/** As many further steps as a message takes. */
const maxSteps = 5;
const stepName = (index: number): string => `failover_${index}`;
const onName = (index: number): string => `failover_on_${index}`;

const triggers = [
  ["failed", "it fails"],
  ["expired", "nobody takes it while it is valid"],
  ["no_receipt", "no receipt comes in time"],
] as const;

/** A number where it is one; what is none is the platform's to refuse, in its own words. */
const numberOr = (text: string): number | string => (/^\d{1,9}$/.test(text) ? Number(text) : text);

/** The steps in which anything is filled in, by their place on the page: one without a channel is refused, and not left out without a word. */
const filledSteps = (form: Form): readonly { readonly index: number; readonly step: object }[] =>
  Array.from({ length: maxSteps }, (_, index) => index).flatMap((index) => {
    const own = form.map(stepName(index));
    if (Object.values(own).every((value) => value.trim() === "")) return [];
    const { channel, text, ...more } = own;
    const { to, subject, from, after_seconds: after } = more;
    const given = Object.entries({ to, subject, from }).flatMap(([name, value]) => {
      const trimmed = value?.trim() ?? "";
      return trimmed === "" ? [] : [[name, trimmed]];
    });
    const step = {
      ...(channel !== undefined && channel !== "" && { channel }),
      ...Object.fromEntries(given),
      ...(text !== undefined && text.trim() !== "" && { text }),
      on: ticked(form, onName(index)),
      ...(after !== undefined && after.trim() !== "" && { after_seconds: numberOr(after.trim()) }),
    };
    return [{ index, step }];
  });

/** What the fields of this file ask for: `failover` and `quiet_hours` of a message, as far as they are filled in. */
export function furtherOf(form: Form): Record<string, unknown> {
  const steps = filledSteps(form).map(({ step }) => step);
  const { from = "", to = "", zone = "", policy = "" } = form.map("quiet_hours");
  const named = zone.trim();
  const quiet = { from, to, ...(named !== "" && { zone: named }), policy: policy || "delay" };
  return {
    ...(steps.length > 0 && { failover: steps }),
    ...((from !== "" || to !== "" || named !== "") && { quiet_hours: quiet }),
  };
}

/** The steps that are filled in, and an empty one after them; without scripts the form is asked for again to have another. */
export function stepFields(form: Form, problem: Problem | undefined): Html {
  const filled = filledSteps(form).map(({ index }) => index);
  const next = Array.from({ length: maxSteps }, (_, index) => index).find(
    (index) => !filled.includes(index),
  );
  const shown = [...filled, ...(next === undefined ? [] : [next])].toSorted((a, b) => a - b);
  return html`<details class="more"${filled.length > 0 && html` open`}><summary>If it comes to nothing: other channels</summary>
${shown.map((index) => oneStep(form, problem, index, filled.indexOf(index)))}
${filled.length > 0 && next !== undefined && html`<p class="hint">One more is below each that is filled in: <em>Show its variables</em> brings it.</p>`}</details>`;
}

/** `place`: which step of the message it is, as the platform counts them; -1 for one that is empty. */
function oneStep(form: Form, problem: Problem | undefined, index: number, place: number): Html {
  const own = form.map(stepName(index));
  const error = (name: string): string | undefined =>
    place < 0 ? undefined : errorAt(problem, `failover.${place}.${name}`);
  const input = (name: string, label: string, more: object = {}): Html =>
    field({
      name: `${stepName(index)}[${name}]`,
      label,
      value: own[name] ?? "",
      error: error(name),
      ...more,
    });
  return html`<fieldset><legend>Step ${index + 2}</legend>
<div class="row">${input("channel", "Channel", { options: [["", "none"], ...channels.map((channel) => [channel, channel])] })}
${input("to", "To", { hint: "Left empty, whom the message is for." })}</div>
${checks("When of the step before", onName(index), triggers, (value) => (place < 0 ? value === "failed" : ticked(form, onName(index)).includes(value)), error("on"))}
<div class="row">${input("after_seconds", "Seconds to wait for a receipt", { hint: "10 to 86400, where no receipt is one of the reasons." })}
${input("from", "From", { hint: "Left empty, the gateway's own." })}</div>
${input("subject", "Subject", { hint: "E-mail only; left empty, the message's." })}
${input("text", "Text", { rows: 3, hint: "Left empty, what the message says." })}</fieldset>`;
}

export function quietFields(form: Form, problem: Problem | undefined): Html {
  const own = form.map("quiet_hours");
  const input = (name: string, label: string, more: object = {}): Html =>
    field({
      name: `quiet_hours[${name}]`,
      label,
      value: own[name] ?? "",
      error: errorAt(problem, `quiet_hours.${name}`),
      ...more,
    });
  const isOpen = ["from", "to", "zone"].some((name) => (own[name] ?? "") !== "");
  const whole = errorAt(problem, "quiet_hours");
  return html`<details class="more"${isOpen && html` open`}><summary>Not while people sleep: quiet hours</summary>
<fieldset><legend>Quiet hours of the recipient's day</legend>
${whole !== undefined && html`<p class="error">${whole}</p>`}
<div class="row">${input("from", "Quiet from", { type: "time" })}${input("to", "Until", { type: "time", hint: "May be on the next day." })}</div>
<div class="row">${input("zone", "Time zone", { placeholder: "Europe/Berlin", hint: "Left empty: the contact's, else that of the number." })}
${input("policy", "Then", {
  options: [
    ["delay", "send it at their end"],
    ["reject", "refuse it"],
  ],
})}</div></fieldset></details>`;
}
