using KeycloakCreditBridge.Benchmarks.Measurement;
using KeycloakCreditBridge.Benchmarks.Scale;
using KeycloakCreditBridge.Sandbox.Bridges;
using KeycloakCreditBridge.Sandbox.Postgres;
using KeycloakCreditBridge.Sandbox.Processes;

namespace KeycloakCreditBridge.Benchmarks.Arrivals;

/// <summary>
/// A burst of signed webhooks for unknown users, over two replicas in processes of their own: until every user has an account.
/// Sender, replicas, Keycloak and PostgreSQL share the machine.
/// </summary>
internal static class BurstBenchmark
{
    private const int Replicas = 2;

    // Code is compiled at its first run; a running service has done that long ago.
    private const int Warmup = 1_000;

    public static async Task<IReadOnlyList<Result>> WithEmulatorAsync(PrivatePostgres server, int users, int rounds)
    {
        await using var realm = await LargeRealmFixture.StartAsync(server, (users * rounds) + Warmup);
        List<Result> results = [];
        foreach (var readsTables in new[] { false, true })
        {
            await using var database = await BenchmarkDatabase.CreateAsync(server);
            results.Add(
                await RunAsync(database, realm.Settings(database, readsTables), realm.Ids, users, $"emulator, {ReadingMode(readsTables)}"));
        }

        return results;
    }

    /// <summary>Seconds from the first request to the last account.</summary>
    public static async Task<double> CommittedAsync(PrivatePostgres server, int users) =>
        (await SendAsync(server, users, [], null)).Seconds;

    /// <summary>One burst on a database of its own, with these settings besides the usual ones.</summary>
    /// <param name="server">Where the database is made.</param>
    /// <param name="users">How many webhooks.</param>
    /// <param name="more">The settings.</param>
    /// <param name="settled">Returns when all is done that so many webhooks make; its processor time counts.</param>
    public static async Task<BurstOutcome> SendAsync(
        PrivatePostgres server, int users, Dictionary<string, string?> more, Func<BenchmarkDatabase, int, Task>? settled)
    {
        await using var realm = await LargeRealmFixture.StartAsync(server, users + Warmup);
        await using var database = await BenchmarkDatabase.CreateAsync(server);
        var environment = realm.Settings(database, readsTables: true).Concat(more)
            .ToDictionary(setting => setting.Key, setting => setting.Value!, StringComparer.Ordinal);
        await using var first = await BridgeProcess.StartAsync(NewUrl(), environment);
        await using var second = await BridgeProcess.StartAsync(NewUrl(), environment);
        using var burst = new Burst([first, second], database, await ProcessorTime.OfServerAsync(database));
        await burst.SendAsync([.. realm.Ids.Take(Warmup)], settled is null ? null : () => settled(database, Warmup));
        return await burst.SendAsync(
            [.. realm.Ids.Skip(Warmup)], settled is null ? null : () => settled(database, users + Warmup));
    }

    public static async Task<IReadOnlyList<Result>> WithKeycloakAsync(PrivatePostgres server, int users, int rounds)
    {
        await using var fixture = await ScaleFixture.StartAsync(server, (users * rounds) + Warmup);
        if (fixture is null)
        {
            await Console.Error.WriteLineAsync(
                "No real Keycloak 26.7: set KEYCLOAK_DISTRIBUTIONS. Bursts are measured with the emulator alone.");
            return [];
        }

        var ids = await fixture.UserIdsAsync();
        List<Result> results = [];
        foreach (var readsTables in new[] { false, true })
        {
            await using var database = await BenchmarkDatabase.CreateAsync(server);
            results.Add(
                await RunAsync(
                    database, SettingsOf(fixture, database, readsTables), ids, users, $"real Keycloak 26.7, {ReadingMode(readsTables)}"));
        }

        return results;
    }

    private static async Task<Result> RunAsync(
        BenchmarkDatabase database, Dictionary<string, string?> settings, IReadOnlyList<string> ids, int users, string source)
    {
        var environment = settings.ToDictionary(setting => setting.Key, setting => setting.Value!, StringComparer.Ordinal);
        await using var first = await BridgeProcess.StartAsync(NewUrl(), environment);
        await using var second = await BridgeProcess.StartAsync(NewUrl(), environment);
        using var burst = new Burst([first, second], database, await ProcessorTime.OfServerAsync(database));
        await burst.SendAsync([.. ids.Take(Warmup)]);
        var (committed, answered) = (new Durations(), new Durations());
        List<BurstOutcome> outcomes = [];
        // What takes long is done once.
        for (var sent = Warmup; sent + users <= ids.Count && (outcomes.Count == 0 || committed.Best < Durations.Long); sent += users)
        {
            var outcome = await burst.SendAsync([.. ids.Skip(sent).Take(users)]);
            await VerifyAsync(database, ids.Take(sent + users), outcome);
            committed.Add(outcome.Seconds);
            answered.Add(outcome.Answered);
            outcomes.Add(outcome);
            await Console.Error.WriteLineAsync(
                FormattableString.Invariant($"{source}: {outcome.Seconds:0.00} s, answers after {outcome.Answered:0.00} s."));
        }

        return new Result(
            $"{users:N0} webhooks in a burst, {Burst.Connections} connections, {Replicas} replicas, {source}",
            $"last account after {committed}, last answer after {answered}; answers other than 2xx: " +
            $"{outcomes.Sum(outcome => outcome.Refused.Values.Sum())}; no hint left",
            $"goal: 5 s; core seconds: replicas {Average(one => one.Bridge)}, PostgreSQL {Average(one => one.Postgres)}, " +
            $"sender {Average(one => one.Sender)}, all of the machine {Average(one => one.Machine)}");

        string Average(Func<BurstOutcome, double> seconds) => FormattableString.Invariant($"{outcomes.Average(seconds):0.0}");
    }

    private static async Task VerifyAsync(BenchmarkDatabase database, IEnumerable<string> users, BurstOutcome outcome)
    {
        try
        {
            await AccountCheck.VerifyAsync(database, users);
        }
        catch (InvalidOperationException exception)
        {
            throw new InvalidOperationException(
                $"{exception.Message} Answers other than 2xx: " +
                $"{string.Join(", ", outcome.Refused.Select(status => $"{status.Key} {status.Value} times"))}.",
                exception);
        }
    }

    private static Uri NewUrl() => new($"http://127.0.0.1:{FreePort.Next()}/");

    private static string ReadingMode(bool readsTables) => readsTables ? "users read from its tables" : "each user asked for by HTTP";

    private static Dictionary<string, string?> SettingsOf(ScaleFixture fixture, BenchmarkDatabase database, bool readsTables)
    {
        var settings = fixture.Settings.ToDictionary(setting => setting.Key, string? (setting) => setting.Value, StringComparer.Ordinal);
        settings["Storage:ConnectionString"] = database.ConnectionString;
        settings["Keycloak:Realms:0:WebhookSecrets:0"] = LargeRealmFixture.Secret;
        settings["Reconciliation:Enabled"] = "false";
        settings["Serilog:MinimumLevel:Default"] = "Fatal";
        settings["Serilog:MinimumLevel:Override:Microsoft.Hosting.Lifetime"] = "Fatal";
        if (!readsTables)
            settings.Remove("Keycloak:Database:ConnectionString");
        return settings;
    }
}
