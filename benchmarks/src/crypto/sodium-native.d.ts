// npm sodium-native ships no types: what the bench uses. Its decryption throws what is forged.
declare module 'sodium-native' {
  const sodium: {
    crypto_aead_chacha20poly1305_ietf_encrypt_detached(
      sealed: Uint8Array,
      tag: Uint8Array,
      plain: Uint8Array,
      header: Uint8Array,
      secretNonce: null,
      nonce: Uint8Array,
      key: Uint8Array,
    ): number;
    crypto_aead_chacha20poly1305_ietf_decrypt_detached(
      plain: Uint8Array,
      secretNonce: null,
      sealed: Uint8Array,
      tag: Uint8Array,
      header: Uint8Array,
      nonce: Uint8Array,
      key: Uint8Array,
    ): void;
  };
  export default sodium;
}
