/** The text of UTF-8 bytes without its byte order mark. What is no UTF-8 becomes U+FFFD, one by one, so that only the record that holds it fails. */
export async function* decoded(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  for await (const each of bytes) {
    const text = decoder.decode(each, { stream: true });
    if (text !== "") yield text;
  }
  const rest = decoder.decode();
  if (rest !== "") yield rest;
}
