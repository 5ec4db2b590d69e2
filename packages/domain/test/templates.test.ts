import { describe, expect, it } from "vitest";
import {
  checkTemplate,
  deletedOf,
  renderTemplate,
  templateId,
  type TemplateVersion,
} from "@heliograph/domain";

const version: TemplateVersion = {
  default_language: "en",
  languages: {
    en: {
      text: "Hi {{name}}, {{ count }} left{{note}}",
      subject: "For {{name}}",
      html: '<b title="{{name}}">{{name}}</b>',
    },
    de: { text: "Hallo {{name}}" },
  },
  variables: {
    name: { type: "string", max_length: 20 },
    count: { type: "number" },
    note: { type: "string", required: false },
  },
};
const given = { name: "Nayeem", count: 3 };

describe("a template", () => {
  it("is filled, with optional variables left out", () => {
    expect(renderTemplate(version, "en", given)).toMatchObject({
      kind: "rendered",
      language: "en",
      text: "Hi Nayeem, 3 left",
      subject: "For Nayeem",
    });
  });

  it("takes values literally, and escapes them in HTML only", () => {
    const rendered = renderTemplate(version, "en", { ...given, name: "<{{count}}>\"&'" });
    expect(rendered).toMatchObject({
      text: "Hi <{{count}}>\"&', 3 left",
      html: '<b title="&lt;{{count}}&gt;&quot;&amp;&#39;">&lt;{{count}}&gt;&quot;&amp;&#39;</b>',
    });
  });

  it("falls back on the default language only when asked to", () => {
    expect(renderTemplate(version, "fr", given)).toEqual({
      kind: "language_missing",
      language: "fr",
      available: ["en", "de"],
    });
    expect(renderTemplate(version, "fr", given, "default")).toMatchObject({
      kind: "rendered",
      language: "en",
    });
    expect(renderTemplate(version, undefined, given)).toMatchObject({
      kind: "rendered",
      language: "en",
    });
    expect(renderTemplate(version, "__proto__", given)).toMatchObject({ kind: "language_missing" });
  });

  it.each([
    [{ count: 3 }, "variables.name", "required"],
    [{ ...given, name: 7 }, "variables.name", "wrong_type"],
    [{ ...given, count: Number.NaN }, "variables.count", "wrong_type"],
    [{ ...given, name: "x".repeat(21) }, "variables.name", "too_long"],
    [{ ...given, name: "a\r\nBcc: b" }, "variables.name", "line_break"],
    [{ ...given, note: "\u0000" }, "variables.note", "invalid_characters"],
    [{ ...given, other: 1 }, "variables.other", "unknown"],
    [JSON.parse('{"name":"a","count":1,"__proto__":"x"}'), "variables.__proto__", "unknown"],
  ])("refuses bad variables (%#)", (variables, path, code) => {
    const rendered = renderTemplate(version, "en", variables);
    expect(rendered.kind === "invalid" && rendered.errors).toEqual([
      { path, code, message: expect.any(String) },
    ]);
  });

  it("reports every error at once", () => {
    const rendered = renderTemplate(version, "en", { count: "3", other: 1 });
    expect(rendered.kind === "invalid" && rendered.errors.map((error) => error.code)).toEqual([
      "required",
      "wrong_type",
      "unknown",
    ]);
  });

  it("writes numbers without an exponent", () => {
    const render = (count: number) => renderTemplate(version, "en", { ...given, count });
    expect(render(0.0000001)).toMatchObject({ text: "Hi Nayeem, 0.0000001 left" });
    expect(render(1e21)).toMatchObject({ text: "Hi Nayeem, 1000000000000000000000 left" });
  });

  it("finds a language however it is written, and says how the template writes it", () => {
    const regional = { ...version, languages: { ...version.languages, pt_BR: { text: "Oi" } } };
    for (const language of ["pt_BR", "pt-BR", "PT-br"])
      expect(renderTemplate(regional, language, given, "default")).toMatchObject({
        language: "pt_BR",
        text: "Oi",
      });
    expect(checkTemplate({ ...regional, default_language: "pt-BR" })).toEqual([]);
  });

  it("counts characters, not code units", () => {
    const render = (name: string) => renderTemplate(version, "en", { ...given, name });
    expect(render("😀".repeat(20))).toMatchObject({ kind: "rendered" });
    expect(render("😀".repeat(21))).toMatchObject({ kind: "invalid" });
  });

  it("allows line breaks where the subject does not use the variable", () => {
    expect(renderTemplate(version, "en", { ...given, note: "\n- bye" })).toMatchObject({
      text: "Hi Nayeem, 3 left\n- bye",
    });
  });

  it("is checked before it is stored", () => {
    expect(checkTemplate(version)).toEqual([]);
    const broken = {
      ...version,
      default_language: "fr",
      languages: { en: { text: "{{nope}}", subject: "a\nb" }, de: {} },
    };
    expect(checkTemplate(broken).map(({ path, code }) => `${path} ${code}`)).toEqual([
      "default_language not_found",
      "languages.en.subject line_break",
      "languages.en.text unknown",
      "languages.de required",
    ]);
  });
});

describe("the templates of a name", () => {
  const name = { partner: "ptn_a", channel: "sms", slug: "hello" };

  it("are counted by a few questions, however many were deleted", async () => {
    for (const deleted of [0, 1, 2, 3, 4, 7, 8, 9, 63, 64, 1_000]) {
      const gone = new Set(Array.from({ length: deleted }, (_, at) => templateId(name, at)));
      let asked = 0;
      const found = await deletedOf(name, async (id) => {
        asked++;
        return gone.has(id);
      });
      expect(found).toBe(deleted);
      expect(asked).toBeLessThanOrEqual(2 * Math.ceil(Math.log2(deleted + 2)) + 1);
    }
  });

  it("have ids of their own, the first the one it always had", () => {
    const other = { ...name, slug: "hello2" };
    const ids = [templateId(name), templateId(name, 1), templateId(name, 2), templateId(other, 1)];
    expect(new Set(ids).size).toBe(4);
    expect(templateId(name, 0)).toBe(templateId(name));
  });
});
