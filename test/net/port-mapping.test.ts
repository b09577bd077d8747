import assert from "node:assert/strict";
import { test } from "node:test";
import { formatMapping, parsePublish } from "../../src/net/port-mapping.js";

test("ports are published one by one or in ranges, at an address or at all", () => {
  assert.deepEqual(parsePublish("8080:80"), [{ hostPort: 8080, containerPort: 80, protocol: "tcp" }]);
  assert.deepEqual(parsePublish("127.0.0.1:53:5353/udp"), [
    { hostPort: 53, containerPort: 5353, protocol: "udp", hostIP: "127.0.0.1" },
  ]);
  assert.deepEqual(parsePublish("[fd00::1]:1000-1001:2000-2001/sctp"), [
    { hostPort: 1000, containerPort: 2000, protocol: "sctp", hostIP: "fd00::1" },
    { hostPort: 1001, containerPort: 2001, protocol: "sctp", hostIP: "fd00::1" },
  ]);
});

test("the host's port may be whichever is free", () => {
  assert.deepEqual(parsePublish("80"), [{ hostPort: 0, containerPort: 80, protocol: "tcp" }]);
  assert.deepEqual(parsePublish("127.0.0.1::53-54/udp"), [
    { hostPort: 0, containerPort: 53, protocol: "udp", hostIP: "127.0.0.1" },
    { hostPort: 0, containerPort: 54, protocol: "udp", hostIP: "127.0.0.1" },
  ]);
});

test("a mapping is shown as it is asked for", () => {
  for (const text of ["8080:80/tcp", "127.0.0.1:53:5353/udp", "[fd00::1]:7:7/sctp"])
    assert.deepEqual(parsePublish(text).map(formatMapping), [text]);
  assert.deepEqual(parsePublish("80").map(formatMapping), [":80/tcp"]);
});

test("what asks for no port is an error that says why", () => {
  const form = "not of the form [[ADDRESS:][PORT[-PORT]]:]PORT[-PORT][/PROTOCOL]";
  const cases: [text: string, cause: string][] = [
    [":80", form],
    ["80:", form],
    ["http:80", form],
    ["fd00::1:80:80", form],
    ["80:80/icmp", "the protocol has to be one of tcp, udp, sctp"],
    ["0:80", '"0" is no port and no range of ports'],
    ["80:65536", '"65536" is no port and no range of ports'],
    ["81-80:80-81", '"81-80" is no port and no range of ports'],
    ["80-82:80-81", "3 ports of the host for 2 of the container"],
  ];
  for (const [text, cause] of cases)
    assert.throws(() => parsePublish(text), { name: "Failure", message: `--publish: "${text}": ${cause}` });
  assert.throws(() => parsePublish("1.2.3:80:80"), /--publish: "1\.2\.3": not an address/);
});
