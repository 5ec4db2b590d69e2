import type { Segments } from "@heliograph/contracts";
import { countCharacters, isPair } from "@heliograph/domain";
import { gsmAlphabet, type GsmTables, septetsOf } from "./gsm.ts";
import { national } from "./gsm-national.ts";

/**
 * How many SMS a text needs (3GPP TS 23.038 and 23.040), and where it is cut. GSM-7: 160 septets alone, 153 in each part of several, characters of the
 * extension table take two and are never split. UCS-2: 70 code units alone, 67 in each part, surrogate pairs are never split. National tables are named in the header of each
 * SMS, which costs some of its septets: 155 and 149 with one of them, 152 and 146 with both.
 */
type Capacity = { readonly alone: number; readonly part: number };
const ucs2Capacity: Capacity = { alone: 70, part: 67 };
const gsmCapacity: Capacity = { alone: 160, part: 153 };

/** Octets of an SMS; of the header its length, the element that numbers parts, and one for each table. */
const octets = { user: 140, length: 1, parts: 5, table: 3 } as const;

function nationalCapacity(tables: number): Capacity {
  const septets = (header: number): number => Math.floor(((octets.user - header) * 8) / 7);
  const header = octets.length + tables * octets.table;
  return { alone: septets(header), part: septets(header + octets.parts) };
}

/** How a text is laid out. */
type Layout = {
  readonly encoding: "GSM-7" | "UCS-2";
  readonly national: GsmTables | undefined;
  /** Where the parts behind the first begin. */
  readonly cuts: readonly number[];
};
/** Code units of a character, and what it takes of a part's room. */
type Step = { readonly units: number; readonly room: number };
type StepAt = (text: string, index: number) => Step;

const single: Step = { units: 1, room: 1 };
const double: Step = { units: 1, room: 2 };
const pair: Step = { units: 2, room: 2 };
const lacking: Step = { units: 1, room: 0 };

const ofUcs2: StepAt = (text, index) => (isPair(text, index) ? pair : single);
const sized = (sizeOf: (code: number) => 0 | 1 | 2): StepAt => {
  return (text, index) => {
    const size = sizeOf(text.charCodeAt(index));
    return size === 1 ? single : size === 2 ? double : lacking;
  };
};
const ofGsm = sized(septetsOf);

/** The length in septets, or -1 when the text has what the alphabet lacks. */
function gsmLength(text: string, stepAt: StepAt): number {
  let length = 0;
  for (let index = 0; index < text.length; index++) {
    const { room } = stepAt(text, index);
    if (room === 0) return -1;
    length += room;
  }
  return length;
}

/** Where the parts behind the first begin; none is begun within a character. */
function cutsOf(text: string, stepAt: StepAt, length: number, { alone, part }: Capacity): number[] {
  const cuts: number[] = [];
  if (length <= alone) return cuts;
  let used = 0;
  for (let index = 0; index < text.length;) {
    const { units, room } = stepAt(text, index);
    if (used + room > part) {
      cuts.push(index);
      used = 0;
    }
    used += room;
    index += units;
  }
  return cuts;
}

const inUcs2 = (text: string): Layout => ({
  encoding: "UCS-2",
  national: undefined,
  cuts: cutsOf(text, ofUcs2, text.length, ucs2Capacity),
});

/** In the default alphabet, or under these tables; undefined when it lacks something. */
function inGsm(text: string, tables?: GsmTables): Layout | undefined {
  const stepAt = tables === undefined ? ofGsm : sized(gsmAlphabet(tables).sizeOf);
  const length = gsmLength(text, stepAt);
  if (length < 0) return undefined;
  const named = [tables?.locking, tables?.single].filter((table) => table !== undefined);
  const capacity = tables === undefined ? gsmCapacity : nationalCapacity(named.length);
  const cuts = cutsOf(text, stepAt, length, capacity);
  return { encoding: "GSM-7", national: tables, cuts };
}

/** Of a language first the table that costs nothing to phones that do not know it: of another locking table they show all letters wrong. */
const tablesOf = (language: number): readonly GsmTables[] =>
  national.locking[language] === undefined
    ? [{ single: language }]
    : [{ single: language }, { locking: language }, { locking: language, single: language }];

/** The default alphabet where it does; else national tables where they save a segment; else UCS-2, which every phone shows. */
function layOut(text: string, languages: readonly number[]): Layout {
  const plain = inGsm(text);
  if (plain !== undefined) return plain;
  let best = inUcs2(text);
  for (const tables of languages.flatMap(tablesOf)) {
    const layout = inGsm(text, tables);
    if (layout !== undefined && layout.cuts.length < best.cuts.length) best = layout;
  }
  return best;
}

/** Segments of an SMS text; `characters` counts Unicode code points. An empty text is one segment. `languages` are the national ones that whoever sends it knows tables of. */
export function segmentSms(text: string, languages: readonly number[] = []): Segments {
  const { encoding, cuts, national: tables } = layOut(text, languages);
  const characters = encoding === "GSM-7" ? text.length : countCharacters(text);
  const count = cuts.length + 1;
  return { count, encoding, characters, ...(tables !== undefined && { national: tables }) };
}

/**
 * The texts of these segments, which are the whole one together; `wide` where a gateway cannot send GSM-7 that it would do in, `national` the tables that it was counted with. Text that those
 * lack goes as without them.
 */
export function splitSms(
  text: string,
  given: { readonly wide?: boolean; readonly national?: GsmTables | undefined } = {},
): {
  readonly encoding: "GSM-7" | "UCS-2";
  readonly national: GsmTables | undefined;
  readonly parts: readonly string[];
} {
  const tabled = given.national && inGsm(text, given.national);
  const {
    encoding,
    national: tables,
    cuts,
  } = tabled ?? (given.wide === true ? inUcs2(text) : layOut(text, []));
  const ends = [...cuts, text.length];
  const parts = ends.map((end, index) => text.slice(ends[index - 1] ?? 0, end));
  return { encoding, national: tables, parts };
}

/** Everything but SMS is one message however long. */
export const oneMessage = (text: string): Segments => ({
  count: 1,
  encoding: "none",
  characters: countCharacters(text),
});
