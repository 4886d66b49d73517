using System.Globalization;
using KeycloakCreditBridge.Sandbox.Emulator;
using KeycloakCreditBridge.Sandbox.Keycloak;
using KeycloakCreditBridge.Sandbox.Keycloak.Browsers;
using KeycloakCreditBridge.Sandbox.Keycloak.Servers;

namespace KeycloakCreditBridge.Sandbox.Tour;

/// <summary>Shows the bridge at work and checks every promise it shows.</summary>
internal sealed class GuidedTour(SandboxOptions choices, TextWriter output, TimeProvider clock)
{
    private static readonly TimeSpan AccountTimeout = TimeSpan.FromSeconds(60);

    private readonly List<string> _failures = [];

    /// <summary>Runs the tour, and then the system until it is cancelled. Returns the exit code.</summary>
    public async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            await using var system = await SandboxSystem.StartAsync(choices, Say, cancellationToken);
            await ShowRegistrationsAsync(system, cancellationToken);
            await ShowReconciliationAsync(system, cancellationToken);
            await CheckEveryAccountAsync(system, cancellationToken);
            Say("");
            Say(_failures.Count == 0 ? "Everything was as promised." : "Not as promised: " + string.Join("; ", _failures));
            if (choices.Users > 0)
            {
                Say($"Adding {choices.Users} users to Keycloak; some of them spend credits.");
                await system.AddUsersAsync(choices.Users, cancellationToken);
                await new UsersAtWork(system, clock).SpendAsync(choices.Users, cancellationToken);
            }

            if (!choices.Once)
                await RunUntilStoppedAsync(system, cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            Say("Stopped.");
        }
        catch (Exception exception) when (
            exception is InvalidOperationException or HttpRequestException or IOException or Npgsql.NpgsqlException)
        {
            Say(exception.Message);
            return 1;
        }

        return _failures.Count == 0 ? 0 : 1;
    }

    private async Task ShowRegistrationsAsync(SandboxSystem system, CancellationToken cancellationToken)
    {
        Say("");
        Say("1. Three users register with Keycloak's own form.");
        foreach (var name in new[] { "anna", "bert", "carla" })
        {
            var registered = await RegisterAsync(system, name, cancellationToken);
            var id = await WaitForAccountAsync(system, name, cancellationToken);
            await ShowAccountAsync(
                system, $"{name}: account {Milliseconds(registered)} ms after the form was accepted", id, cancellationToken);
        }
    }

    private async Task ShowReconciliationAsync(SandboxSystem system, CancellationToken cancellationToken)
    {
        Say("");
        Say("2. The bridge is stopped, dora registers, and Keycloak's stored events are wiped: no event names her.");
        await system.StopBridgeAsync();
        await RegisterAsync(system, "dora", cancellationToken);
        await system.Admin.DeleteEventsAsync(SandboxSystem.Realm, cancellationToken);
        Say("   The bridge starts again; reconciliation compares all users with all accounts, here every 10 s.");
        var started = clock.GetTimestamp();
        await system.StartBridgeAsync(cancellationToken);
        var id = await WaitForAccountAsync(system, "dora", cancellationToken);
        var rows = await ShowAccountAsync(
            system, $"dora: account {Milliseconds(started)} ms after the bridge came back", id, cancellationToken);
        if (!rows.Any(row => row.Kind == "account" && row.Text.Contains("reconciliation", StringComparison.Ordinal)))
            _failures.Add("dora was not found by reconciliation");
    }

    private async Task CheckEveryAccountAsync(SandboxSystem system, CancellationToken cancellationToken)
    {
        var broken = await new AccountRowsStore(system.DataSource).CountInconsistentAsync(cancellationToken);
        if (broken > 0)
            _failures.Add($"{broken} accounts were not opened exactly once, or their ledger does not add up");
    }

    private async Task<long> RegisterAsync(SandboxSystem system, string name, CancellationToken cancellationToken)
    {
        await new KeycloakBrowser(system.Keycloak.Url)
            .RegisterAsync(SandboxSystem.Realm, new SandboxUser(name, $"{name}@example.com"), cancellationToken);
        return clock.GetTimestamp();
    }

    private async Task<string> WaitForAccountAsync(SandboxSystem system, string name, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(AccountTimeout, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        var id = (await system.Admin.FindUserAsync(SandboxSystem.Realm, name, either.Token))?["id"]?.GetValue<string>()
            ?? throw new InvalidOperationException($"Keycloak does not have {name}.");
        try
        {
            while (!await new AccountRowsStore(system.DataSource).ExistsAsync(id, either.Token))
                await Task.Delay(TimeSpan.FromMilliseconds(2), clock, either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new InvalidOperationException($"{name} had no account after {AccountTimeout.TotalSeconds:0} s.");
        }

        return id;
    }

    private async Task<IReadOnlyList<AccountRow>> ShowAccountAsync(
        SandboxSystem system, string headline, string id, CancellationToken cancellationToken)
    {
        var rows = await new AccountRowsStore(system.DataSource).ReadRowsAsync(id, cancellationToken);
        Say("   " + headline);
        foreach (var row in rows)
            Say($"      {row.Kind,-8} {row.Text}");
        if (string.Join(' ', rows.Select(row => row.Kind)) != "account ledger audit")
            _failures.Add($"{id} does not have exactly one account, one ledger row and one audit row");
        return rows;
    }

    private async Task RunUntilStoppedAsync(SandboxSystem system, CancellationToken cancellationToken)
    {
        Say($"""

            The system stays up until Ctrl-C. Try:
            {PagesOf(system.Keycloak)}
               count missing users    dotnet run --project src/KeycloakCreditBridge -- reconcile --dry-run {system.CommandSettings}
               read the accounts      psql '{system.PsqlAddress}' -c 'select * from user_credits'
               health and metrics     {system.BridgeUrl}health/ready {system.BridgeUrl}metrics
               operate the bridge     {system.BridgeUrl}page
                                      {PageUsers}
            """);
        await Task.Delay(Timeout.InfiniteTimeSpan, clock, cancellationToken);
    }

    private static string PageUsers =>
        $"sign in as {SandboxSystem.OperatorUser.Username} / {SandboxSystem.OperatorUser.Password}, "
        + $"or as {SandboxSystem.ViewerUser.Username}";

    // The emulator has the forms, and neither account nor administration console.
    private static string PagesOf(IKeycloakServer keycloak)
    {
        var realm = new Uri(keycloak.Url, $"realms/{SandboxSystem.Realm}/");
        return keycloak is EmulatedKeycloak
            ? "   register a user        " +
                $"{realm}protocol/openid-connect/registrations?client_id=account-console&response_type=code&redirect_uri={realm}account/"
            : $"""
                  register a user        {realm}account ("Register" below the login form)
                  administer Keycloak    {keycloak.Url}admin/ as {keycloak.AdminUser} / {keycloak.AdminPassword}
               """;
    }

    private string Milliseconds(long since) => clock.GetElapsedTime(since).TotalMilliseconds.ToString("0", CultureInfo.InvariantCulture);

    private void Say(string line) => output.WriteLine(line);
}
