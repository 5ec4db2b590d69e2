const exponential = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/;

/** A number as people write it: all its digits and no exponent, where the language itself would give `1e-7` and `1e+21`. */
export function plainNumber(value: number): string {
  const text = String(value);
  const match = exponential.exec(text);
  if (match === null) return text;
  const digits = match[2]! + (match[3] ?? "");
  const exponent = Number(match[4]);
  return exponent < 0
    ? `${match[1]}0.${"0".repeat(-exponent - 1)}${digits}`
    : match[1] + digits.padEnd(exponent + 1, "0");
}
