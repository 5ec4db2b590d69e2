import fc from "fast-check";

/** Gives properties a seed of their own at each run: a number, or `random`. */
const variable = "HELIOGRAPH_TEST_SEED";

/** What is checked is then the same for everybody, and a red run means that something changed. */
const fixedSeed = 20_260_901;

// Vitest runs this in a worker before each file. A property that names a seed keeps it.
const asked = process.env[variable];
if (asked !== "random") {
  const seed = asked === undefined ? fixedSeed : Number(asked);
  if (!Number.isSafeInteger(seed)) throw new Error(`${variable} is a number or "random"`);
  fc.configureGlobal({ seed });
}
