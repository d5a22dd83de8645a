/** Names that a careless look takes for loopback. */
export const NOT_LOOPBACK = [
  '127.evil.example',
  '127.0.0.1.evil.example',
  'localhost.evil.example',
  'evil-localhost',
  'evil.localhost.example',
  '128.0.0.1',
  '0.0.0.0',
  '10.127.0.1',
  '[::2]',
  '[::ffff:192.0.2.1]',
  '127.0.0.1@evil.example',
]

/** Origins that differ from that of `url` in one respect. */
export function otherOrigins(url: string): string[] {
  const { hostname, port } = new URL(url)
  return [
    `http://${hostname}:${Number(port) - 1}`,
    `http://${hostname}`,
    `http://${hostname}:${port}0`,
    `http://${hostname === 'localhost' ? '127.0.0.1' : 'localhost'}:${port}`,
    `http://evil-${hostname}:${port}`,
    `http://${hostname}.evil.example:${port}`,
    `http://evil.example:${port}`,
    `http://evil.example`,
    'file://',
    'null',
  ]
}
