import { saidIn } from "@heliograph/domain";
import { describe, expect, it } from "vitest";
import {
  type Decided,
  type NewTemplate,
  type Version,
  decideTemplate,
  changesNothing,
  decideVersion,
  patched,
} from "../src/decide.ts";
import { templatesProjector } from "../src/projector.ts";

const at = { id: "tpl_01HNQX2P8Y9R3T4V5W6Z7A8B9C", createdAt: "2026-05-23T14:22:17.000Z" };
const command: NewTemplate = {
  slug: "hello",
  channel: "sms",
  languages: { en: { text: "Hi {{name}}" } },
  variables: { name: { type: "string" } },
};
const decided = <Event>(decision: Decided<Event>): Event => {
  if (decision.kind !== "decided") throw new Error(JSON.stringify(decision));
  return decision.data;
};
const faults = (decision: Decided<unknown>) =>
  decision.kind === "invalid" ? decision.errors.map(({ path, code }) => `${path} ${code}`) : [];

describe("a new template", () => {
  it("is its first version, with each language in its one form", () => {
    const languages = { pt_br: { text: "Oi {{name}}" }, EN: { text: "Hi {{name}}" } };
    expect(decided(decideTemplate({ ...command, languages }, at))).toEqual({
      template_id: at.id,
      slug: "hello",
      version: 1,
      channel: "sms",
      default_language: "en",
      languages: { "pt-BR": languages.pt_br, en: languages.EN },
      variables: command.variables,
      created_at: at.createdAt,
    });
  });

  it.each([
    [{ languages: { en: { text: "a" }, EN: { text: "b" } } }, "languages.EN duplicate"],
    [{ languages: { de: { text: "a" }, fr: { text: "b" } } }, "default_language required"],
    [{ default_language: "fr" }, "default_language not_found"],
    [{ channel: "email" as const }, "languages.en.subject required"],
    [{ languages: { en: { text: "{{{name}}}" } } }, "languages.en.text invalid_placeholder"],
    [{ variables: {} }, "languages.en.text unknown"],
    [{ languages: { en: { text: "Hi" } } }, "variables.name unused"],
  ])("is refused by name of the fault (%#)", (change, fault) => {
    expect(faults(decideTemplate({ ...command, ...change }, at))).toContain(fault);
  });
});

describe("a further version", () => {
  const created = decided(decideTemplate(command, at));
  const texts = { languages: { en: { text: "Hello" } } };

  it("has the next number and needs no variables", () => {
    expect(decided(decideVersion({ created, newest: created }, texts, at.createdAt))).toMatchObject(
      { version: 2, languages: texts.languages, variables: {} },
    );
  });

  it("may write the default language of an old template in its one form", () => {
    const old = { ...created, default_language: "pt_BR" };
    const languages = { "pt-BR": { text: "Oi" } };
    const decision = decideVersion({ created: old, newest: old }, { languages }, at.createdAt);
    expect(decision.kind).toBe("decided");
  });

  it("is the five-hundredth at most", () => {
    const newest = (version: number) => ({ created, newest: { ...created, version } });
    expect(decided(decideVersion(newest(499), texts, at.createdAt)).version).toBe(500);
    expect(decideVersion(newest(500), texts, at.createdAt)).toEqual({ kind: "full", most: 500 });
  });
});

describe("the list", () => {
  const created = decided(decideTemplate(command, at));
  const added = decided(decideVersion({ created, newest: created }, command, at.createdAt));
  const deletion = { template_id: at.id, slug: "hello", channel: "sms", deleted_at: at.createdAt };
  const events = [
    ["TemplateCreated", created],
    ["TemplateVersionAdded", added],
    ["TemplateDeleted", deletion],
  ].map(([type, data], index) => ({
    id: `e${index}`,
    type,
    data,
    position: BigInt(index + 1),
    metadata: { partner: "ptn_01HNQX2P8Y9R3T4V5W6Z7A8B9C" },
  }));
  const written = async (batch: readonly object[]) => {
    const { project } = await templatesProjector.create({} as never);
    return (await project(batch as never)).map(({ name }) => name);
  };

  it("writes nothing of a template that is deleted in the same batch: all parts of one see the tables as before", async () => {
    const drops = ["templates_drop", "templates_drop_versions"];
    expect(await written(events)).toEqual(drops);
    expect(await written(events.slice(1))).toEqual(drops);
    expect(await written(events.slice(2))).toEqual(drops);
    expect(await written(events.slice(0, 2))).toEqual(["templates_insert", "templates_versions"]);
  });
});

describe("a change of a part", () => {
  const newest = {
    languages: { en: { text: "Hi {{name}}", subject: "Hi" } },
    variables: command.variables!,
  };

  it("leaves what it does not name, takes away what is null, and finds a language in any spelling", () => {
    const change = {
      languages: { EN: { subject: null }, pt_br: { text: "Oi {{name}}" } },
      variables: { name: { max_length: 40 }, gone: null },
    };
    expect(patched(newest, change)).toEqual({
      languages: { en: { text: "Hi {{name}}" }, pt_br: { text: "Oi {{name}}" } },
      variables: { name: { type: "string", max_length: 40 } },
    });
    expect(patched(newest, { languages: { en: null } }).languages).toEqual({});
  });

  it("with one language in two spellings is refused as one that is there twice", () => {
    const { languages } = patched(newest, { languages: { EN: { text: "a" }, en: { text: "b" } } });
    expect(Object.keys(languages)).toEqual(["en", "EN"]);
  });
});

describe("description and default language", () => {
  const languages = { en: { text: "Hi" }, de: { text: "Hallo" } };
  const created = decided(
    decideTemplate(
      { slug: "a", channel: "sms", languages, default_language: "en", description: "x" },
      at,
    ),
  );
  const next = (newest: typeof created | Version, change: object) =>
    decideVersion({ created, newest }, { languages, ...change }, at.createdAt);

  it("are of a version, and of those behind it until one says something else", () => {
    const second = decided(next(created, { default_language: "DE", description: null }));
    expect(second).toMatchObject({ version: 2, default_language: "de", description: null });
    expect(saidIn(created, created)).toEqual({ default_language: "en", description: "x" });
    const third = decided(next(second, {}));
    expect(saidIn(created, third)).toEqual({ default_language: "de", description: null });
    expect(decided(next(third, { description: "y" }))).toMatchObject({ description: "y" });
    expect(faults(next(third, { default_language: "fr" }))).toEqual(["default_language not_found"]);
  });

  it("change nothing where they are so already", () => {
    const found = { created, newest: created };
    const nothing = (patch: object) => changesNothing(found, patch);
    expect([{}, { description: "x" }, { default_language: "EN" }].map(nothing)).toEqual([
      true,
      true,
      true,
    ]);
    expect([{ description: null }, { default_language: "de" }].map(nothing)).toEqual([
      false,
      false,
    ]);
  });
});
