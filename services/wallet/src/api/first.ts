/** The first number from 1 on that is not so, of what is so up to some number and from then on not: asks some times more often the further it is. */
export async function firstThatIsNot(isSo: (number: number) => Promise<boolean>): Promise<number> {
  let last = 0;
  let first = 1;
  while (await isSo(first)) {
    last = first;
    first *= 2;
  }
  while (first - last > 1) {
    const middle = Math.floor((last + first) / 2);
    if (await isSo(middle)) last = middle;
    else first = middle;
  }
  return first;
}
