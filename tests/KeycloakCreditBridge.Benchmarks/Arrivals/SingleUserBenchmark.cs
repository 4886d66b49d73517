using System.Diagnostics;
using System.Reflection;
using System.Text.RegularExpressions;
using KeycloakCreditBridge.Benchmarks.Measurement;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Provisioning.Accounts;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Sandbox.Postgres;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Benchmarks.Arrivals;

/// <summary>
/// One user a statement, 16 in flight: by the bridge's own code, and by pgbench running the same statement with 16 clients.
/// </summary>
internal static class SingleUserBenchmark
{
    public const int InFlight = 16;

    // The values of one new user, in the statement's own words; everything that is not named here is null.
    private static readonly Dictionary<string, string> Values = new(StringComparer.Ordinal)
    {
        ["Now"] = "now()",
        ["Realms"] = "array['demo']",
        ["KeycloakIds"] = "array[:id::text]",
        ["AccountIds"] = "array[:id::text]",
        ["States"] = "array['account']",
        ["Reasons"] = "null",
        ["StatesIfPresent"] = "null",
        ["Renames"] = "null",
        ["Inherits"] = "null",
        ["LeavesUnowned"] = "null",
        ["AwaitsVerification"] = "null",
        ["LeavesRecords"] = "null",
        ["Forfeits"] = "null",
        ["ClaimKinds"] = "null",
        ["ClaimHashes"] = "null",
        ["BriefFingerprints"] = "null",
        ["CreatedAts"] = "array[now()]",
        ["Tiers"] = "array['trial']",
        ["Amounts"] = "array[5.0]",
        ["Caps"] = "array[5.0]",
        ["Unlimited"] = "array[false]",
        ["PeriodEnds"] = "array[now()]",
        ["ReadAts"] = "array[now()]",
        ["Sources"] = "array['webhook']",
        ["HintVersions"] = "array[null]",
        ["TierNames"] = "array[]::text[]",
        ["TierCredits"] = "array[]::numeric[]",
        ["At"] = "null::timestamptz",
        ["EndsAfter"] = "null::interval",
        ["Priority"] = "null",
    };

    /// <summary>Converges new users of its own until the time is over, and says how many.</summary>
    public static async Task<long> ConvergeAsync(BenchmarkDatabase database, TimeSpan duration)
    {
        var policy = new GrantPolicy(Options.Create(new ProvisioningOptions()));
        var provisioner = database.NewProvisioner();
        var count = 0L;
        var started = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, InFlight).Select(_ => Task.Run(async () =>
        {
            while (Stopwatch.GetElapsedTime(started) < duration)
            {
                var now = TimeProvider.System.GetUtcNow();
                var subject = new Subject("demo", Guid.NewGuid().ToString(), true, false, now);
                await provisioner.ConvergeAsync([policy.Evaluate(subject, now, HintSources.Webhook)], CancellationToken.None);
                Interlocked.Increment(ref count);
            }
        })));
        return count;
    }

    /// <summary>The same by pgbench, in users a second.</summary>
    public static async Task<double> PgbenchAsync(PrivatePostgres server, TimeSpan duration)
    {
        await using var database = await BenchmarkDatabase.CreateAsync(server);
        // pgbench would take what follows a colon for a variable, in literals too.
        var text = Regex.Replace(Statement(), "(?<!:):(?=[A-Za-z])", "-");
        var statement = Regex.Replace(text, "@([A-Z][A-Za-z]*)", match => Values[match.Groups[1].Value]);
        return await Pgbench.RunAsync(database, "\\set id random(1, 1000000000000000)\n" + statement + ";\n", InFlight, duration);
    }

    private static string Statement() =>
        (string)typeof(AccountStore).GetField("ConvergeSql", BindingFlags.NonPublic | BindingFlags.Static)!.GetValue(null)!;
}
