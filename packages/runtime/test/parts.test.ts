import { expect, test } from "vitest";
import { plainArray } from "../src/tables/parts.ts";

test("An array is written as it is only where none of its elements needs quotes", () => {
  const plain: readonly (readonly [unknown[], string])[] = [
    [[], "{}"],
    [["msg_01", "message.sent", "ptn_1:2", "+41", "a-b"], "{msg_01,message.sent,ptn_1:2,+41,a-b}"],
    [[1, -2.5, 3n, null, undefined], "{1,-2.5,3,null,null}"],
    [["nullable", "x"], "{nullable,x}"],
  ];
  for (const [list, text] of plain) expect(plainArray(list)).toBe(text);
  const others = [" ", "", "a b", "a,b", "{a}", 'a"b', "a\\b", "null", "NULL", "é", "a\nb"];
  for (const text of others) expect(plainArray(["a", text]), JSON.stringify(text)).toBe(undefined);
  for (const each of [true, {}, [1], Buffer.from("a"), new Date(0)])
    expect(plainArray([each])).toBe(undefined);
});
