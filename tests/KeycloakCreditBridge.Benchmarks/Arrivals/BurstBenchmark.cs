using KeycloakCreditBridge.Benchmarks.Measurement;
using KeycloakCreditBridge.Benchmarks.Scale;
using KeycloakCreditBridge.Sandbox.Postgres;

namespace KeycloakCreditBridge.Benchmarks.Arrivals;

/// <summary>
/// A burst of signed webhooks for users whom nobody knows yet, over two replicas in processes of their own: until everybody has an account.
/// Sender, replicas, Keycloak and PostgreSQL share the machine.
/// </summary>
internal static class BurstBenchmark
{
    private const int Replicas = 2;

    // What runs for the first time is compiled first, which a service that has been running did long ago.
    private const int Warmup = 1_000;

    public static async Task<IReadOnlyList<Result>> WithEmulatorAsync(PrivatePostgres server, int users, int rounds)
    {
        await using var realm = await LargeRealmFixture.StartAsync(server, (users * rounds) + Warmup);
        List<Result> results = [];
        foreach (var readsTables in new[] { false, true })
        {
            await using var database = await BenchmarkDatabase.CreateAsync(server);
            results.Add(await RunAsync(database, realm.Settings(database, readsTables), realm.Ids, users, $"emulator, {ReadingMode(readsTables)}"));
        }

        return results;
    }

    public static async Task<IReadOnlyList<Result>> WithKeycloakAsync(PrivatePostgres server, int users, int rounds)
    {
        await using var scene = await ScaleFixture.StartAsync(server, (users * rounds) + Warmup);
        if (scene is null)
        {
            await Console.Error.WriteLineAsync("No real Keycloak 26.7: set KEYCLOAK_DISTRIBUTIONS. Bursts are measured with the emulator alone.");
            return [];
        }

        var ids = await scene.UserIdsAsync();
        List<Result> results = [];
        foreach (var readsTables in new[] { false, true })
        {
            await using var database = await BenchmarkDatabase.CreateAsync(server);
            results.Add(await RunAsync(database, SettingsOf(scene, database, readsTables), ids, users, $"real Keycloak 26.7, {ReadingMode(readsTables)}"));
        }

        return results;
    }

    private static async Task<Result> RunAsync(
        BenchmarkDatabase database, Dictionary<string, string?> settings, IReadOnlyList<string> ids, int users, string source)
    {
        await using var first = await BridgeReplica.StartAsync(settings);
        await using var second = await BridgeReplica.StartAsync(settings);
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
            await Console.Error.WriteLineAsync(FormattableString.Invariant($"{source}: {outcome.Seconds:0.00} s, answers after {outcome.Answered:0.00} s."));
        }

        return new Result(
            $"{users:N0} webhooks in a burst, {Burst.Connections} connections, {Replicas} replicas, {source}",
            $"last account after {committed}, last answer after {answered}; answers other than 2xx: {outcomes.Sum(outcome => outcome.Refused.Values.Sum())}; no hint left",
            FormattableString.Invariant(
                $"goal: 5 s; core seconds: replicas {outcomes.Average(one => one.Bridge):0.0}, PostgreSQL {outcomes.Average(one => one.Postgres):0.0}, sender {outcomes.Average(one => one.Sender):0.0}, all of the machine {outcomes.Average(one => one.Machine):0.0}"));
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
                $"{exception.Message} Answers other than 2xx: {string.Join(", ", outcome.Refused.Select(status => $"{status.Key} {status.Value} times"))}.", exception);
        }
    }

    private static string ReadingMode(bool readsTables) => readsTables ? "users read from its tables" : "each user asked for by HTTP";

    private static Dictionary<string, string?> SettingsOf(ScaleFixture scene, BenchmarkDatabase database, bool readsTables)
    {
        var settings = scene.Settings.ToDictionary(setting => setting.Key, string? (setting) => setting.Value, StringComparer.Ordinal);
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
