// '@tickwire/protocol/token': what a web backend needs to let its users into game servers, and nothing else.
export {
  openTokenIssuer,
  type TokenIssuer,
  type TokenIssuerOptions,
  type TokenRequest,
} from './token-issuer.ts';
export { createIdentity, createTokenKey, type Identity } from './token-keys.ts';
