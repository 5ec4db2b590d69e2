const topic =
  /^arn:aws(-cn|-us-gov)?:sns:([a-z]{2}(?:-[a-z]+){1,3}-\d{1,2}):\d{12}:[\w-]{1,256}(?:\.fifo)?$/;

/** Where SNS is in the region of a topic; undefined for what is no ARN of a topic. */
export function snsHost(topicArn: string): string | undefined {
  const found = topic.exec(topicArn);
  return found === null
    ? undefined
    : `sns.${found[2]}.amazonaws.com${found[1] === "-cn" ? ".cn" : ""}`;
}

/**
 * Whether the certificate of a topic's signatures may be there. By the whole text and not by its parts: what is behind the host's name, in front of it or a port makes another address of it, and a bucket of anybody's is at Amazon too.
 */
export function isCertificateUrl(url: string, topicArn: string): boolean {
  const [, host] =
    /^https:\/\/([a-z0-9.-]+)\/SimpleNotificationService-[0-9a-f]{8,64}\.pem$/.exec(url) ?? [];
  return host !== undefined && host === snsHost(topicArn);
}

/** Whether a visit there confirms the subscription to this very topic, and does nothing else. */
export function isConfirmationUrl(url: string, topicArn: string): boolean {
  const [, host, query] = /^https:\/\/([a-z0-9.-]+)\/\?([!-"$-~]{1,4000})$/.exec(url) ?? [];
  if (host === undefined || host !== snsHost(topicArn)) return false;
  const parameters = new URLSearchParams(query);
  const names = [...parameters.keys()].toSorted().join();
  return (
    names === "Action,Token,TopicArn" &&
    parameters.get("Action") === "ConfirmSubscription" &&
    parameters.get("TopicArn") === topicArn
  );
}
