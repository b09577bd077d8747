import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { StoreDirectory } from "../../src/bundle/store-directory.js";
import { dockerArchive, imageConfig, layer } from "../bundle/archives.js";
import { hasBtrfs } from "../bundle/place.js";
import { directory, file, symlink } from "../bundle/tar-writer.js";
import { ROOT } from "../folders.js";
import { eventually, TAG } from "./harness.js";
import { type Networks, networking, OUTSIDE } from "./networks.js";

const NGINX = join(ROOT, ".cache/nginx/nginx.tar");
const SCRIPTS = join(ROOT, "bundle-examples/docker-by-hand");
const PAGE = "<h1>nginx in a bundle</h1>\n";

/** Tests of nginx, where there is what it takes. */
function nginx(name: string, run: (net: Networks, t: TestContext) => void): void {
  networking(name, (net, t) => {
    if (!existsSync(NGINX)) return t.skip("needs the image of nginx that `npm test` makes");
    run(net, t);
  });
}

const get = (address: string) => `curl --silent --show-error --max-time 10 http://${address}`;

nginx("nginx runs from its tarball by three commands, and is reached and reaches as the host", (net) => {
  const [web, other] = [`${TAG}-web`, `${TAG}-other`];
  writeFileSync(net.s.path("proxy.conf"), "location /outside { proxy_pass http://outside:9000/; }\n");
  net.onHost(
    `fdbundle from-tar ${NGINX} --output web --memory 64M --publish 8080:80 --add-host outside:${OUTSIDE.outside} ` +
      `--volume ./proxy.conf:/etc/nginx/conf.d/proxy.conf:ro`,
  );
  net.onHost(`fdrunc run --detach --bundle web ${web}`);
  const layers = JSON.parse(net.onHost("fdbundle inspect web")).layers;
  assert.ok(layers.length >= 4, `${layers.length} layers`);
  eventually(() => assert.equal(net.onHost(get("10.83.0.1:8080")), PAGE));
  const [stats] = net.onHost(`fdrunc events --stats ${web}`).split("\n");
  assert.equal(JSON.parse(stats).data.memory.usage.limit, 64 << 20);
  // From outside, by the port that the host publishes.
  assert.equal(net.fromOutside(get(`${OUTSIDE.host}:8080`)), PAGE);
  // To the outside, where the host is who asks.
  net.serve(net.within(net.outside), "http", 9000);
  eventually(() => assert.equal(net.fromOutside(get(`${OUTSIDE.host}:8080/outside`)), `hello ::ffff:${OUTSIDE.host}`));
  // Another container of the image's.
  const [address] = JSON.parse(net.told("ls", "--format", "json"))[0].addresses;
  net.onHost(`fdbundle from-tar ${NGINX} --output other --net bridge -- wget -q -O - http://${address}/`);
  assert.equal(net.onHost(`fdrunc run --bundle other ${other}`), PAGE);
  net.onHost(`fdrunc delete --force ${web}`);
  net.assertNothingLeft();
});

nginx("the first write-up's script shows nginx's page twice, and leaves nothing", (net, t) => {
  if (!hasBtrfs()) return t.skip("needs btrfs-progs, and btrfs in the kernel");
  assert.equal(net.onHost(`${SCRIPTS}/nginx.sh ${NGINX} ${TAG}-web`).replace(/^\/.*\n/gm, ""), PAGE + PAGE);
  net.assertNothingLeft();
});

/** busybox as `docker save` writes it, in two layers. */
function saveBusybox(path: string): void {
  const layers = [
    layer([
      directory("bin/"),
      { name: "bin/busybox", content: readFileSync("/bin/busybox"), mode: 0o755 },
      ...["cat", "dd", "hostname", "ifconfig", "ls", "nc", "nslookup", "ps", "sh"].map((name) =>
        symlink(`bin/${name}`, "busybox"),
      ),
    ]),
    layer([directory("proc/"), directory("dev/"), directory("sys/"), file("etc/passwd", "root:x:0:0::/:/bin/sh\n")]),
  ];
  writeFileSync(path, dockerArchive(layers, ["busybox:latest"], imageConfig(layers, { Cmd: ["sh"] })));
}

networking("the second write-up's script gives a shell with a name, an address and name servers", (net, t) => {
  const store = new StoreDirectory(net.s.path("store"), () => {});
  if (store.choose(undefined, () => {}) !== "overlay")
    return t.skip("needs overlay file systems in the temporary directory");
  saveBusybox(net.s.path("busybox.tar"));
  net.serve(net.within(net.outside), "dns", 53);
  net.serve(net.within(net.outside), "tcp", 9000);
  const typed = [
    "hostname",
    "ifconfig eth0 | grep 'inet addr'",
    "ps",
    "cat /proc/self/uid_map /proc/self/gid_map",
    "cat /etc/resolv.conf",
    "nslookup -type=a outside.example | grep -A 1 '^Name'",
    `nc -w 5 ${OUTSIDE.outside} 9000 </dev/null`,
  ];
  const told = net.onHost(`${SCRIPTS}/busybox.sh busybox.tar ${TAG}-shell`, typed.map((line) => `${line}\n`).join(""));
  const lines = told.split("\n").map((line) => line.trim());
  assert.equal(lines[1], "my-docker");
  assert.match(lines[2], /inet addr:100\.100\.1\.2 .*Mask:255\.255\.255\.0/);
  assert.match(told, /^ +1 (root|0) .*\/bin\/sh$/m);
  assert.equal(told.match(/^ +0 +[1-9]\d+ +\d+$/gm)?.length, 2);
  assert.match(told, new RegExp(`^nameserver ${OUTSIDE.outside}$`, "m"));
  assert.match(told, new RegExp(`^Name:\\s*outside.example\\nAddress: ${OUTSIDE.outside}$`, "m"));
  assert.match(told, new RegExp(`hello ::ffff:${OUTSIDE.host}`));
  net.assertNothingLeft();
});

networking("a program that takes more memory than its bundle has is killed, and events says why", (net) => {
  saveBusybox(net.s.path("busybox.tar"));
  const id = `${TAG}-limited`;
  net.onHost("fdbundle from-tar busybox.tar --output bundle-64M --memory 64M -- dd if=/dev/zero of=/dev/null bs=200M");
  net.onHost(`fdrunc run --bundle bundle-64M ${id} || test $? = 137`);
  net.onHost(`fdrunc create --bundle bundle-64M ${id}`);
  // What it watches by: an eventfd, or inotify.
  const watches = "ls -l /proc/$!/fd | grep -q -e eventfd -e inotify";
  const told = net.onHost(`fdrunc events ${id} & until ${watches}; do sleep 0.01; done; fdrunc start ${id}; wait`);
  assert.match(told, new RegExp(`^{"type":"oom","id":"${id}"}$`, "m"));
  net.onHost(`fdrunc delete ${id}`);
});
