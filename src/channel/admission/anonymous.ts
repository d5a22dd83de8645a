/** The principal of whoever names none: all of them share its quota. */
export const ANONYMOUS = 'anonymous'
