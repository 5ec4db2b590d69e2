import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { keywordOf, recognise } from "../src/keywords/recognise.ts";
import { words } from "../src/keywords/words.ts";

const keyword = (text: string) => recognise(text)?.keyword;

describe("STOP is recognised", () => {
  test.each([
    "stop",
    " STOP. ",
    "Stop!!!",
    "«stop»",
    '"STOP"',
    "STOP 🙏",
    "ｓｔｏｐ",
    "Arrêt",
    "ARRET",
    "ARRE\u0302T",
    "opt out",
    "opt-out",
    "OptOut",
    "revoke",
    "quit",
    "End",
    "cancel",
    "Unsubscribe",
    "İPTAL",
    "iptal",
    "IPTAL",
    "СТОП",
    "Відписатися",
    "ΔΙΑΚΟΠΗ",
    "διακοπή",
    "إلغاء",
    "الغاء",
    "הסר",
    "बंद करें",
    "退订",
    "配信停止",
    "수신 거부",
    "수신거부",
    "berhenti",
    "DỪNG",
    "TC",
    "rezygnuje",
    "\u200fتوقف",
    "stop\n",
  ])("as %j", (text) => {
    expect(keyword(text)).toBe("stop");
  });

  test("and START and HELP", () => {
    for (const text of ["Start", "UNSTOP", "démarrer", "старт", "开始", "BAŞLA"])
      expect(keyword(text), text).toBe("start");
    for (const text of ["HELP?", "info", "Hilfe", "ayuda", "YARDIM", "ヘルプ"])
      expect(keyword(text), text).toBe("help");
  });

  test("in the language whose word it is", () => {
    expect(recognise("ARRET")?.language).toBe("fr");
    expect(recognise("stop")?.language).toBe("en");
  });
});

describe("STOP in prose is not recognised", () => {
  test.each([
    "We have got to STOP this bill!",
    "STOP 12345",
    "please stop",
    "don't stop",
    "stop it",
    "nonstop",
    "s t o p",
    "",
    "🙏",
    "yes",
    "no",
    "dung",
    "đúng",
    "huy",
    "बद",
    "x".repeat(100_000),
  ])("%j", (text) => {
    expect(keyword(text)).toBeUndefined();
  });
});

test("A mail is its own words, without what it quotes, and its subject where it says nothing", () => {
  const mail = (text: string, subject?: string) =>
    keywordOf({ channel: "email", text, subject })?.keyword;
  expect(mail("STOP\n\nOn Mon, Ada wrote:\n> Buy now!\n> STOP to unsubscribe")).toBe("stop");
  expect(mail("Stop\r\n-- \r\nAda\r\nHead of Something")).toBe("stop");
  expect(mail("", "unsubscribe")).toBe("stop");
  expect(mail("Where is my order?", "unsubscribe")).toBeUndefined();
  expect(mail("> STOP")).toBeUndefined();
  expect(keywordOf({ channel: "sms", text: "", subject: "stop" })).toBeUndefined();
});

test("Every word is found, and none is of two keywords", () => {
  for (const [language, lists] of Object.entries(words))
    for (const each of ["stop", "start", "help"] as const)
      for (const word of lists[each]) {
        expect(keyword(word), `${language} ${word}`).toBe(each);
        expect(keyword(` ${word.toUpperCase()}! `), `${language} ${word} in capitals`).toBe(each);
        expect(keyword(word.normalize("NFD")), `${language} ${word} decomposed`).toBe(each);
        expect(keyword(`${word} 12345`), `${language} ${word} 12345`).toBeUndefined();
      }
});

test("No text fails it", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => void recognise(text)));
});
