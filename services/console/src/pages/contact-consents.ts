import { html, type Html } from "@heliograph/html";
import type { Answers } from "../answers.ts";
import type { Visit } from "../page.ts";
import { once } from "../view/forms.ts";
import { bdi, curl, field, pill, table, time } from "../view/parts.ts";
import { contactApi, contactPath, mayChange } from "./contact-paths.ts";
import { personChannels } from "./messages.ts";

type Consent = Answers["Consent"];

/** Every period of every consent, and the form for another. `again`: it was refused, and keeps what was typed. */
export const consentsOf = (
  visit: Visit,
  id: string,
  consents: readonly Consent[],
  again: boolean,
): Html =>
  html`<section aria-labelledby="consents"><h2 id="consents">Consents</h2>${
    consents.length === 0
      ? html`<p class="none">None is recorded.</p>`
      : table(
          "Consents, oldest first",
          [
            { label: "What for", cell: ({ purpose }) => bdi(purpose) },
            { label: "Channel", cell: ({ channel }) => channel },
            { label: "State", cell: ({ status }) => pill(status) },
            { label: "From", cell: ({ started_at }) => time(started_at) },
            { label: "To", cell: ({ ended_at }) => time(ended_at) },
          ],
          consents,
        )
  }${mayChange(visit) && recording(visit, id, again)}</section>`;

function recording(visit: Visit, id: string, again: boolean): Html {
  const value = (name: string): string => (again ? visit.form.exact(name) : "");
  const example = {
    channel: "sms",
    purpose: "offers",
    status: "granted",
    evidence: "Sign-up form",
  };
  return html`<details${again && html` open`}><summary>Record a consent</summary><form class="sheet" method="post" action="${contactPath(id)}/consents">${once(visit)}
<div class="row">${field({ name: "purpose", label: "What for", value: value("purpose"), required: true, placeholder: "offers" })}${field({ name: "channel", label: "Channel", value: value("channel"), options: personChannels })}${field({ name: "status", label: "State", value: value("status"), options: ["granted", "withdrawn"] })}</div>
${field({ name: "evidence", label: "Evidence", value: value("evidence"), rows: 2, required: true, hint: "What was said, where and when. It is sealed, and goes when the contact is erased." })}
<div class="actions"><button type="submit">Record</button></div></form>
${curl(visit, "POST", `${contactApi(id)}/consents`, example)}</details>`;
}
