// A certified OpenID Connect provider on loopback. Arguments: folder with node_modules, redirect URL, client secret.
//
// Prints a line of JSON with its issuer when it listens. A line on standard input, `rotate`, gives it new keys; it prints
// `{}` when they are in use. Clients: one for each algorithm, named like it; `unusual` authenticates in the form, has
// claims in the ID token, and is answered with signed userinfo. Users are those of the login form; `many` is in groups
// that are named elsewhere.

import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [folder, redirectUrl, secret] = process.argv.slice(2);
const { default: Provider } = await import(pathToFileURL(`${folder}/node_modules/oidc-provider/lib/index.js`));

const algorithms = ["RS256", "PS256", "ES256", "EdDSA", "HS256"];
const client = (id, more) => ({
  client_id: id,
  client_secret: secret,
  redirect_uris: [redirectUrl],
  grant_types: ["authorization_code"],
  response_types: ["code"],
  ...more,
});

let generation = 0;
function keys() {
  generation += 1;
  const pairs = [
    ["RS256", generateKeyPairSync("rsa", { modulusLength: 2048 })],
    ["PS256", generateKeyPairSync("rsa", { modulusLength: 2048 })],
    ["ES256", generateKeyPairSync("ec", { namedCurve: "P-256" })],
    ["EdDSA", generateKeyPairSync("ed25519")],
  ];
  return pairs.map(([alg, { privateKey }]) => ({
    ...privateKey.export({ format: "jwk" }),
    alg,
    use: "sig",
    kid: `${alg}-${generation}`,
  }));
}

function account(_context, id) {
  const groups = id === "many" ? { _claim_names: { groups: "src1" } } : { groups: ["security", "ops"] };
  const claims = {
    sub: id,
    name: `Person ${id}`,
    preferred_username: `${id}@example.com`,
    email: `${id}@example.com`,
    email_verified: true,
    ...groups,
  };
  return { accountId: id, claims: () => claims };
}

function provider(issuer, conformIdTokenClaims) {
  const made = new Provider(issuer, {
    clients: [
      ...algorithms.map((alg) => client(alg, { id_token_signed_response_alg: alg })),
      client("unusual", { token_endpoint_auth_method: "client_secret_post", userinfo_signed_response_alg: "RS256" }),
    ],
    claims: {
      openid: ["sub"],
      profile: ["name", "preferred_username"],
      email: ["email", "email_verified"],
      groups: ["groups", "_claim_names"],
    },
    conformIdTokenClaims,
    cookies: { keys: ["of no importance"] },
    enabledJWA: { idTokenSigningAlgValues: algorithms, userinfoSigningAlgValues: ["RS256"] },
    features: { devInteractions: { enabled: true }, jwtUserinfo: { enabled: true } },
    findAccount: account,
    jwks: { keys: keys() },
    pkce: { required: () => true },
    ttl: { AccessToken: 60, AuthorizationCode: 60, Grant: 600, IdToken: 60, Interaction: 600, Session: 600 },
  });
  made.on("server_error", (_context, error) => console.error(error));
  return made.callback();
}

const server = createServer((request, response) => answer(request, response));
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const issuer = `http://127.0.0.1:${server.address().port}`;
let answer = provider(issuer, true);
console.log(JSON.stringify({ issuer }));

for await (const line of createInterface({ input: process.stdin })) {
  if (line === '"rotate"') answer = provider(issuer, false);
  console.log("{}");
}
process.exit(0);
