// A certified OpenID Connect provider, as it comes, for tests/drills/provider.py. What people and
// programs are in is read anew each time, from the file that GROUPS names.

import { generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { Provider } from "oidc-provider";

const { issuer, port, client, secret, ours, groups } = JSON.parse(process.env.DRILL);
const groupsOf = (name) => JSON.parse(readFileSync(groups, "utf8"))[name] ?? [];
const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const key = { ...privateKey.export({ format: "jwk" }), kid: `key-${Date.now()}`, use: "sig" };

const provider = new Provider(issuer, {
  jwks: { keys: [key] },
  cookies: { keys: ["not a secret: a drill's"] },
  clients: [
    {
      client_id: client,
      client_secret: secret,
      redirect_uris: [`${ours}/sign-in/callback`],
      post_logout_redirect_uris: [`${ours}/sign-in`],
    },
    {
      client_id: "robot",
      client_secret: secret,
      grant_types: ["client_credentials"],
      response_types: [],
      redirect_uris: [],
    },
  ],
  claims: { openid: ["sub"], profile: ["preferred_username", "groups"] },
  findAccount: (_, name) => ({
    accountId: name,
    claims: () => ({ sub: name, preferred_username: name, groups: groupsOf(name) }),
  }),
  extraTokenClaims: (_, token) => ({
    preferred_username: token.clientId,
    groups: groupsOf(token.clientId),
  }),
  pkce: { required: () => true },
  features: {
    devInteractions: { enabled: true },
    rpInitiatedLogout: { enabled: true },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => undefined,
      getResourceServerInfo: (_, resource) => ({
        scope: "register",
        audience: resource,
        accessTokenTTL: 600,
        accessTokenFormat: "jwt",
      }),
    },
  },
});
provider.listen(port, "127.0.0.1", () => console.log("listening"));
