import assert from "node:assert/strict";
import { test } from "node:test";
import { assignPorts, type TakenPort } from "../../src/net/host-ports.js";
import { parsePublish } from "../../src/net/port-mapping.js";

const nothing = () => false;
const taken = (id: string, text: string): TakenPort[] => parsePublish(text).map((mapping) => ({ id, mapping }));
const ports = (
  texts: string[],
  others: TakenPort[] = [],
  isListened: (mapping: { hostPort: number }) => boolean = nothing,
) => assignPorts(texts.flatMap(parsePublish), others, isListened).map(({ hostPort }) => hostPort);

test("ports that are asked for are had; the others are the first that are free", () => {
  assert.deepEqual(ports(["8080:80", "81", "82-83"]), [8080, 49152, 49153, 49154]);
  assert.deepEqual(ports(["49152:80", "81"]), [49152, 49153]);
  assert.deepEqual(ports(["80"], taken("other", "49152-49153:1-2")), [49154]);
  assert.deepEqual(ports(["80/udp"], taken("other", "49152:1")), [49152]);
  assert.deepEqual(
    ports(["80"], [], ({ hostPort }) => hostPort < 50000),
    [50000],
  );
});

test("a port that something else has is an error that says what", () => {
  const refuses = (message: string, ...args: Parameters<typeof ports>) =>
    assert.throws(() => ports(...args), { name: "Failure", message: `--publish: ${message}` });
  refuses('"80:80/tcp": the port is container "web"\'s', ["80:80"], taken("web", "80:8080"));
  refuses('"10.0.0.1:80:80/tcp": the port is container "web"\'s', ["10.0.0.1:80:80"], taken("web", "80:8080"));
  refuses('"80:81/tcp": the port is asked for twice', ["80:80", "80:81"]);
  refuses('"80:80/tcp": a program on the host has the port', ["80:80"], [], () => true);
  refuses('":80/tcp": no port of the host\'s is free', ["80"], [], () => true);
  assert.deepEqual(ports(["10.0.0.1:80:80"], taken("web", "10.0.0.2:80:8080")), [80]);
});
