/** Where an archive lies: a directory, or `s3://BUCKET/PREFIX?endpoint=URL&region=NAME`. */
export interface ArchivePlaceSpec {
  readonly place: string
  /** Of S3; `env:NAME` and `file:PATH` are looked up. Default: as the S3 client finds them on this machine. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string } | undefined
}

/** An archive as the configuration file, or the command line, names it. */
export interface ArchiveSpec {
  readonly from: { readonly broker: string; readonly topic: string }
  readonly to: ArchivePlaceSpec
  readonly start?: 'earliest' | 'latest' | undefined
  readonly segmentBytes?: number | undefined
  readonly segmentAgeMs?: number | undefined
  readonly takeOver?: boolean | undefined
}
