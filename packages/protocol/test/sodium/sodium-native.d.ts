// npm sodium-native ships no types: what the cross-checks use. Its decryption throws what is forged.
declare module 'sodium-native' {
  type Seal = (
    sealed: Uint8Array,
    tag: Uint8Array,
    plain: Uint8Array,
    header: Uint8Array,
    secretNonce: null,
    nonce: Uint8Array,
    key: Uint8Array,
  ) => number;
  type Open = (
    plain: Uint8Array,
    secretNonce: null,
    sealed: Uint8Array,
    tag: Uint8Array,
    header: Uint8Array,
    nonce: Uint8Array,
    key: Uint8Array,
  ) => void;

  const sodium: {
    crypto_aead_chacha20poly1305_ietf_encrypt_detached: Seal;
    crypto_aead_chacha20poly1305_ietf_decrypt_detached: Open;
    crypto_aead_xchacha20poly1305_ietf_encrypt_detached: Seal;
    crypto_aead_xchacha20poly1305_ietf_decrypt_detached: Open;
    crypto_generichash(out: Uint8Array, input: Uint8Array, key: Uint8Array): void;
    crypto_scalarmult(out: Uint8Array, secretKey: Uint8Array, publicKey: Uint8Array): void;
    crypto_scalarmult_base(out: Uint8Array, secretKey: Uint8Array): void;
  };
  export default sodium;
}
