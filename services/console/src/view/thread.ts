import { html, link, type Html } from "@heliograph/html";
import type { Answers } from "../answers.ts";
import { base } from "../page.ts";
import { bdi, pill, time } from "./parts.ts";

type Said = Answers["ConversationMessage"];
type Given = {
  /** What the person is called. */
  readonly person: Html;
  /** Newest last, as one reads; a history runs the other way. */
  readonly said: readonly Said[];
  readonly label: string;
};

/** What was said, one bubble each: theirs at one side, ours at the other, notes across and dashed. */
export const thread = ({ person, said, label }: Given): Html =>
  html`<ol class="thread" aria-label="${label}">${said.map(
    (each) => html`<li class="${each.direction}">${bubble(each, person)}</li>
`,
  )}</ol>`;

const bubble = (said: Said, person: Html): Html => html`<p class="head">${sender(said, person)}
<span class="small">${said.direction !== "note" && html`${said.channel} · `}${time(said.at)}</span></p>
${said.subject !== undefined && html`<p class="subject">${bdi(said.subject)}</p>`}
${said.text === null || said.text === "" ? said.media.length === 0 && html`<p class="none">No text to show.</p>` : html`<blockquote class="text" dir="auto">${said.text}</blockquote>`}
${said.media.length > 0 && html`<ul class="media">${said.media.map(attachment)}</ul>`}
${said.direction === "outbound" && html`<p class="head">${pill(said.status)} <a class="small" href="${base}/messages/${said.id}">its life</a></p>`}
${said.error !== undefined && html`<p class="small"><a href="${link(`/errors/${said.error.code}`)}"><code>${said.error.code}</code></a>${said.error.provider?.text !== undefined && html` ${bdi(said.error.provider.text)}`}</p>`}`;

function sender({ direction, agent, unverified }: Said, person: Html): Html {
  if (direction === "inbound")
    return html`<strong>${person}</strong>${unverified && html` <span class="small">not verified: anybody could have written this under the address</span>`}`;
  const who = agent === undefined ? html`us` : bdi(agent.name);
  return direction === "note"
    ? html`<strong>Note by ${who}</strong> <span class="small">not seen by the person</span>`
    : html`<strong>${who}</strong>`;
}

/** Why a file is not there, as one reads it. */
const whyNot: Readonly<Record<string, string>> = {
  gone: "its provider does not have it any more",
  too_large: "it is too large",
  too_many: "too many came at once",
  no_room: "the quota for files has no room",
  refused: "its provider did not give it out",
  unreachable: "its provider could not be reached",
  no_gateway: "its gateway is not there any more",
  failed: "it could not be stored",
  erased: "the person was erased",
};

const attachment = (file: Said["media"][number]): Html => {
  const { fetching, not_kept: reason } = file;
  if (fetching !== true && reason === undefined) return opened(file);
  const what = bdi(file.name ?? file.type ?? "Attachment");
  return reason === undefined
    ? html`<li>${what} <span class="small">is being fetched from its provider</span></li>`
    : html`<li>${what} <span class="small">was not kept: ${whyNot[reason] ?? reason}</span></li>`;
};

const opened = ({ url, name, type, bytes }: Said["media"][number]): Html =>
  html`<li><a href="${link(url)}" rel="noreferrer">${bdi(name ?? type ?? "Attachment")}</a>${bytes !== undefined && html` <span class="small">${Math.ceil(bytes / 1_024)} KiB</span>`}</li>`;
