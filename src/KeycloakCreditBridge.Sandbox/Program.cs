using System.CommandLine;
using KeycloakCreditBridge.Sandbox.Tour;

var once = new Option<bool>("--once") { Description = "End after the tour: exit code 0, or 1 if anything was not as promised." };
var emulator = new Option<bool>("--emulator") { Description = "Use the in-process Keycloak emulator even if a real Keycloak is at hand." };
var verbose = new Option<bool>("--verbose") { Description = "Show the bridge's own log." };
var users = new Option<int>("--people") { Description = "Add so many users to the realm after the tour; the bridge finds them." };
var command = new RootCommand(
    """
    Runs the whole system on this machine - a private PostgreSQL, a Keycloak and the bridge - and shows what it does.

    A real Keycloak is used when KEYCLOAK_DISTRIBUTIONS names a folder with a server archive, or KEYCLOAK_HOME an unpacked server,
    and Java 17 or later is at hand; otherwise the in-process emulator. Nothing outside the cache folder is touched, everything
    listens on 127.0.0.1 on free ports, and Ctrl-C ends it all.
    """)
{
    once, emulator, verbose, users,
};
command.SetAction((result, cancellationToken) =>
    new GuidedTour(
        new SandboxOptions(
            result.GetValue(once), result.GetValue(emulator), result.GetValue(verbose), result.GetValue(users)), Console.Out,
        TimeProvider.System)
        .RunAsync(cancellationToken));
return await command.Parse(args).InvokeAsync();
