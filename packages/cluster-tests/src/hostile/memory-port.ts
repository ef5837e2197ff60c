/** The variable that names the port on which a member tells of its memory. Apart from the reporter, which begins when it is imported. */
export const MEMORY_PORT = "FLOTILLA_MEMORY_PORT";
