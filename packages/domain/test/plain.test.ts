import { canonicalLanguage } from "@heliograph/domain";
import { describe, expect, it } from "vitest";
import { plainNumber } from "../src/plain-number.ts";

describe("a number in a text", () => {
  it.each([
    [12.5, "12.5"],
    [0.0000001, "0.0000001"],
    [-1.25e-9, "-0.00000000125"],
    [1e21, "1000000000000000000000"],
    [-1.5e22, "-15000000000000000000000"],
    [9007199254740991, "9007199254740991"],
    [-0, "0"],
  ])("%d is written %s", (value, text) => {
    expect(plainNumber(value)).toBe(text);
    expect(Number(text)).toBe(value === 0 ? 0 : value);
  });
});

describe("a language", () => {
  it.each([
    ["en", "en"],
    ["EN", "en"],
    ["pt_BR", "pt-BR"],
    ["pt-br", "pt-BR"],
    ["zh_hant_tw", "zh-Hant-TW"],
    ["de-1996", "de-1996"],
    ["es-419", "es-419"],
  ])("%s is %s", (written, canonical) => {
    expect(canonicalLanguage(written)).toBe(canonical);
  });
});
