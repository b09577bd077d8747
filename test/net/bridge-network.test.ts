import assert from "node:assert/strict";
import { test } from "node:test";
import { bridgeNetwork, setupOf } from "../../src/net/bridge-network.js";

const ORDER = { name: "bridge", subnets: [], isFirst: true, publishes: false, leases: "/leases" };

test("the default network has a bridge and a subnet of its own", () => {
  const { name, plugins } = bridgeNetwork(ORDER);
  assert.equal(name, "bridge");
  assert.deepEqual(plugins, [
    {
      type: "bridge",
      bridge: "fdrunc0",
      isGateway: true,
      isDefaultGateway: true,
      ipMasq: true,
      hairpinMode: true,
      capabilities: { ips: true, mac: true },
      ipam: { type: "host-local", dataDir: "/leases", ranges: [[{ subnet: "10.83.0.0/16" }]] },
    },
  ]);
});

test("each choice of a name and subnets is a network with a bridge", () => {
  const both = bridgeNetwork({ ...ORDER, subnets: ["10.0.0.0/24", "fd00:1::/64"] });
  assert.equal(both.name, "bridge-10.0.0.0_24-fd00_1___64");
  const { bridge, families } = setupOf(both);
  assert.match(bridge, /^fdr-[0-9a-f]{8}$/);
  assert.deepEqual(families, [4, 6]);
  const names = [both, bridgeNetwork({ ...ORDER, subnets: ["10.0.1.0/24"] }), bridgeNetwork(ORDER)];
  assert.equal(new Set(names.map((network) => setupOf(network).bridge)).size, 3);
});

test("ports and the default route are given where they are asked for", () => {
  const { plugins } = bridgeNetwork({ ...ORDER, isFirst: false, publishes: true });
  assert.deepEqual(
    plugins.map(({ type, isDefaultGateway }) => [type, isDefaultGateway]),
    [
      ["bridge", false],
      ["portmap", undefined],
    ],
  );
});
