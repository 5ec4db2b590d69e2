type Table = ReadonlyMap<number, string>;

/** Each character with its septet in hexadecimal: `09ç 0A\f`. */
const table = (text: string): Table =>
  new Map(text.split(" ").map((entry) => [Number.parseInt(entry.slice(0, 2), 16), entry.slice(2)]));
/** The languages that have tables, by the names that settings call them. */
export const nationalLanguages = { turkish: 1, spanish: 2, portuguese: 3 } as const;

const common = "0A\f 14^ 28{ 29} 2F\\ 3C[ 3D~ 3E] 40| 65€";

/** National language tables (3GPP TS 23.038, annex A): 1 is Turkish, 2 Spanish, 3 Portuguese. A locking table has what differs from the default alphabet. */
export const national: {
  readonly locking: Readonly<Record<number, Table>>;
  readonly single: Readonly<Record<number, Table>>;
} = {
  locking: {
    1: table("04€ 07ı 0BĞ 0Cğ 1CŞ 1Dş 40İ 60ç"),
    3: table(
      "04ê 06ú 07í 08ó 09ç 0BÔ 0Cô 0EÁ 0Fá 12ª 13Ç 14À 15∞ 16^ 17\\ 18€ 19Ó 1A| 1CÂ 1Dâ 1EÊ 1FÉ 24º 40Í 5BÃ 5CÕ 5DÚ 5EÜ 5F§ 60~ 7Bã 7Cõ 7D` 7Eü 7Fà",
    ),
  },
  single: {
    1: table(`${common} 47Ğ 49İ 53Ş 63ç 67ğ 69ı 73ş`),
    2: table(`${common} 09ç 41Á 49Í 4FÓ 55Ú 61á 69í 6Fó 75ú`),
    3: table(
      `${common} 05ê 09ç 0BÔ 0Cô 0EÁ 0Fá 12Φ 13Γ 15Ω 16Π 17Ψ 18Σ 19Θ 1FÊ 41À 49Í 4FÓ 55Ú 5BÃ 5CÕ 61Â 69í 6Fó 75ú 7Bã 7Cõ 7Fâ`,
    ),
  },
};
