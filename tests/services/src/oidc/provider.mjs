// An OpenID provider for tests. It lets everybody in, with any password, under the name they give: `alice:devs,admins` is alice of two groups.
// Machines get a token for whatever `resource` they name, as a JSON web token (RFC 9068), with the secret of the client.
// PORT and REDIRECT (a list of URLs) are told by the environment; it forgets everybody when it ends.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const library = createRequire(process.env.MODULES + '/').resolve('oidc-provider');
const { Provider } = await import(pathToFileURL(library));
const port = Number(process.env.PORT);
const issuer = `http://127.0.0.1:${port}`;

function claims(id) {
  const [name, groups] = id.split(':');
  return {
    sub: id, name, preferred_username: name, email: `${name}@example.org`, email_verified: !name.startsWith('unverified'),
    groups: groups ? groups.split(',') : [],
  };
}

const provider = new Provider(issuer, {
  clients: [{
    client_id: 'registry', client_secret: 'registrysecretregistrysecret0123', redirect_uris: process.env.REDIRECT.split(','),
    response_types: ['code'], grant_types: ['authorization_code', 'client_credentials'], token_endpoint_auth_method: 'client_secret_basic',
    post_logout_redirect_uris: [],
  }],
  pkce: { required: () => true },
  scopes: ['openid', 'profile', 'email', 'groups'],
  claims: { openid: ['sub'], profile: ['name', 'preferred_username'], email: ['email', 'email_verified'], groups: ['groups'] },
  findAccount: (_, id) => ({ accountId: id, claims: () => claims(id) }),
  features: {
    devInteractions: { enabled: true },
    rpInitiatedLogout: { enabled: true },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_, resource) => ({ scope: 'push', audience: resource, accessTokenFormat: 'jwt' }),
    },
  },
  cookies: { keys: ['of-no-worth'] },
  ttl: { AccessToken: 600, IdToken: 600, Interaction: 600, Grant: 600, Session: 600 },
});
provider.listen(port, '127.0.0.1');
