import { html, type Html } from "@heliograph/html";
import type { Answers } from "../answers.ts";
import { bdi } from "./parts.ts";

/** What a person is called: the name, or else an address. */
export const called = ({
  name,
  external_ids,
}: Pick<Answers["Contact"], "name" | "external_ids">): Html =>
  name !== null && name !== ""
    ? bdi(name)
    : external_ids.length > 0
      ? bdi(external_ids[0]!.id)
      : html`<span class="none">No name</span>`;

/** The same of a conversation, which knows one address. */
export const calledIn = ({
  contact: { name },
  address,
}: Pick<Answers["Conversation"], "contact" | "address">): Html => bdi(name || address.id);
