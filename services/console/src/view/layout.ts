import { html, page, type Html } from "@heliograph/html";
import { iconPath, scriptPath, stylePath } from "../assets.ts";
import { goOf, navOf } from "../nav.ts";
import { base, type Shown, type Visit } from "../page.ts";
import type { Told } from "../sessions.ts";
import { facts } from "./parts.ts";

type Framed = Pick<Visit, "who" | "environment" | "csrf"> & {
  /** None where there is no such page. */
  readonly section: string | undefined;
  /** Where a switch of the environment leads: things of one are not in the other. */
  readonly told: Told | undefined;
  /** When it was begun, in milliseconds: what happened since then is still to be shown. */
  readonly at: number;
};

const head = html`<link rel="icon" type="image/svg+xml" href="${iconPath}">`;
const scripts = html`${head}
<script src="${scriptPath}" defer></script>`;

// Text of strangers is escaped: no quotation mark of theirs stands in a page.
const isLive = (body: Html): boolean => /data-live="[^"]/.test(String(body));

/** Shown by the script alone: without it nothing changes by itself. */
const liveBar = (at: number): Html =>
  html`<p class="live" data-live-bar data-at="${at}" hidden><span class="live-said" role="status" data-live-said></span><button class="quiet" type="button">Pause</button></p>`;

/** A page with everything around it. */
export function framed({ title, body, heading }: Shown, frame: Framed): string {
  const { environment, told, at } = frame;
  const name = environment === "live" ? "Live" : "Sandbox";
  return page({
    title: `${title} · ${name} · Heliograph`,
    styles: [stylePath],
    head: scripts,
    look: environment,
    body: html`<body>
<a class="skip" href="#main">Skip to the page</a>
${banner(frame)}
<div class="frame">
${navigation(frame)}
<main id="main" tabindex="-1">
${told !== undefined && flash(told)}
<h1>${heading ?? title}</h1>
${isLive(body) && liveBar(at)}
${body}
</main>
</div>
<footer class="foot"><a href="${base}/shortcuts">Keyboard shortcuts</a></footer>
</body>`,
  });
}

/** What is told once, and what is shown once. */
const flash = ({ told, secrets = [] }: Told): Html =>
  secrets.length === 0
    ? html`<p class="flash" role="status">${told}</p>`
    : html`<section class="flash once" aria-label="Shown once"><p role="status">${told} <strong>Copy it now: it is shown only this once.</strong></p>
${facts(secrets.map(([name, value]) => [name, html`<code>${value}</code>`] as const))}</section>`;

/** Which of the two worlds this is, in words, in colour and in texture, and the way to the other. */
function banner({ who, environment, csrf, section }: Framed): Html {
  const button = (value: string, label: string): Html =>
    html`<button type="submit" name="environment" value="${value}"${value === environment && html` aria-current="true"`}>${label}</button>`;
  return html`<header class="top">
<a class="brand" href="${base}"><img src="${iconPath}" alt="" width="28" height="28"> <span>Heliograph</span></a>
<p class="world"><strong>${environment === "live" ? "Live" : "Sandbox"}</strong> <span>${environment === "live" ? "Real messages to real people, for real money." : "Nothing leaves the platform, and nothing is charged."}</span></p>
${who.environments.length > 1 && html`<form class="switch" method="post" action="${base}/environment"><input type="hidden" name="csrf" value="${csrf}"><input type="hidden" name="back" value="${base}${section ?? ""}">${button("sandbox", "Sandbox")}${button("live", "Live")}</form>`}
<form class="leave" method="post" action="${base}/sign-out"><input type="hidden" name="csrf" value="${csrf}"><span class="who"><a href="${base}/me"><bdi>${who.name}</bdi></a> <small><bdi>${who.partner.name}</bdi> · ${who.role}</small></span><button class="quiet" type="submit">Sign out</button></form>
</header>`;
}

/** Once in the margin and, where that is too narrow, once behind a word: one list each, of which the stylesheet shows one. */
const navigation = ({ who, section }: Framed): Html =>
  html`<nav class="nav" aria-label="Console"><details class="menu"><summary>Menu</summary>${entries({ who, section })}</details><div class="margin">${entries({ who, section })}</div></nav>`;

const entries = ({ who, section }: Pick<Framed, "who" | "section">): Html =>
  html`${navOf(who).map(
    ({ label, entries }) => html`<p class="group">${label}</p>
<ul>${entries.map(
      ({ path, label }) =>
        html`<li><a href="${base}${path}"${goOf(path) && html` data-go="${goOf(path)}"`}${path === section && html` aria-current="page"`}>${label}</a></li>`,
    )}</ul>`,
  )}`;

/** A page for whoever is not signed in, or for what went wrong before anybody was known. */
export const bare = (title: string, body: Html): string =>
  page({
    title: `${title} · Heliograph`,
    styles: [stylePath],
    head,
    look: "bare",
    body: html`<body>
<main class="alone">
<p class="brand"><img src="${iconPath}" alt="" width="40" height="40"> Heliograph</p>
<h1>${title}</h1>
${body}
</main>
</body>`,
  });
