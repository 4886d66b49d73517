using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Configuration.Reload;

/// <summary>The executable, whose settings change while many requests are in flight.</summary>
[StartsPrograms]
public sealed class ReloadUnderLoadTests(PostgresFixture postgres)
{
    private const int Callers = 16;
    private const int Least = 500;
    private const string Change = "Settings changed (2), for what begins from here on";

    private static readonly string[] Right = ["5/5 of 50", "7/7 of 70", "5 of 50", "7 of 70"];

    [Fact]
    public async Task A_tier_changes_under_load_without_one_wrong_answer()
    {
        await using var fixture = await ExecutableFixture.CreateAsync(postgres);
        fixture.Settings["Api:RateLimits:PerAddress"] = "100000";
        fixture.Write(Trial(credits: 5, cap: 50));
        await fixture.StartAsync();

        var answers = new ConcurrentQueue<Answer>();
        using var stop = new CancellationTokenSource();
        Task[] callers = [.. Enumerable.Range(0, Callers).Select(_ => CallAsync(fixture, answers, stop.Token))];
        await AnsweredAsync(Least);
        fixture.Write(Trial(credits: 7, cap: 70));
        await Eventually.TrueAsync(() => fixture.Says(Change), "the change is used");
        var changed = answers.Count;
        await AnsweredAsync(changed + Least);
        await stop.CancelAsync();
        await Task.WhenAll(callers);

        Assert.Empty(answers.Select(answer => answer.Text).Except(Right));
        Assert.Contains(answers, answer => answer is { IsAfter: false, Text: ['5', ..] });
        Assert.Contains(answers, answer => answer is { IsAfter: true, Text: ['7', ..] });
        Assert.DoesNotContain(answers, answer => answer is { IsAfter: true, Text: ['5', ..] });
        Assert.Equal(0, await fixture.Database.ScalarAsync<long>(
            """
            select count(*) from user_credits c
            where (select sum(t.amount) from credit_transactions t where t.user_id = c.user_id) <> c.credits_allocated
                or c.monthly_cap <> c.credits_allocated * 10
            """));

        Task AnsweredAsync(int count) => Eventually.TrueAsync(
            async () =>
            {
                if (Array.Find(callers, caller => caller.IsFaulted) is { } failed)
                    await failed;
                return answers.Count >= count;
            },
            $"there are {count} answers");
    }

    [Fact]
    public async Task A_signal_has_a_change_used_at_once_and_a_refused_one_named()
    {
        await using var fixture = await ExecutableFixture.CreateAsync(postgres);
        fixture.Write(Trial(credits: 5, cap: 50));
        await fixture.StartAsync();

        fixture.Write("""{ "Provisioning": { "Tier": "gold" }, "Serilog": { "MinimumLevel": { "Default": "Verbose" } } }""");
        await fixture.Bridge.SignalAsync("HUP");
        await Eventually.TrueAsync(() => fixture.Says("795 The changed settings are not used"), "the change is refused");
        await Eventually.TrueAsync(
            async () => (string?)JsonNode.Parse(await fixture.GetAsync("health/ready"))!["checks"]!["settings"]!["detail"] is { } detail
                && detail.Contains("Provisioning:Tier is 'gold'", StringComparison.Ordinal),
            "the health check says why");
        Assert.Contains("\nbridge_settings_refused 1\n", await fixture.GetAsync("metrics"), StringComparison.Ordinal);
        Assert.False(fixture.Says("Request starting"));

        fixture.Write(
            """
            {
              "Provisioning": { "Tier": "starter" },
              "Serilog": { "MinimumLevel": { "Override": { "Microsoft.AspNetCore.Hosting": "Debug" } } }
            }
            """);
        await fixture.Bridge.SignalAsync("HUP");
        await Eventually.TrueAsync(() => fixture.Says("Provisioning:Tier trial → starter"), "the change is used");
        Assert.Contains("\nbridge_settings_refused 0\n", await fixture.GetAsync("metrics"), StringComparison.Ordinal);
        await Eventually.TrueAsync(() => fixture.Says("Request starting"), "a line of the new level is written");
    }

    private static string Trial(int credits, int cap) =>
        $$"""{ "Provisioning": { "Tiers": { "trial": { "Credits": {{credits}}, "MonthlyCap": {{cap}} } } } }""";

    // A new user each time: the first read opens the account by the tier, and the list of tiers shows it.
    private static async Task CallAsync(ExecutableFixture fixture, ConcurrentQueue<Answer> answers, CancellationToken stopped)
    {
        await Task.Yield();
        while (!stopped.IsCancellationRequested)
        {
            var token = fixture.TokenOf(fixture.AddUser());
            var isAfter = fixture.Says(Change);
            var balance = JsonNode.Parse(await fixture.GetAsync("api/v1/credits/balance", token))!;
            answers.Enqueue(new Answer(
                $"{Number(balance["balance"])}/{Number(balance["credits_allocated"])} of {Number(balance["monthly_cap"])}", isAfter));
            isAfter = fixture.Says(Change);
            var tiers = JsonNode.Parse(await fixture.GetAsync("api/v1/credits/tiers", token))!.AsArray();
            var trial = tiers.Single(tier => (string?)tier!["tier"] == "trial")!;
            answers.Enqueue(new Answer($"{Number(trial["credits"])} of {Number(trial["monthly_cap"])}", isAfter));
        }
    }

    private static string Number(JsonNode? amount) => $"{(int)decimal.Parse((string)amount!, CultureInfo.InvariantCulture)}";

    /// <param name="Text">The numbers of the tier as the answer shows them.</param>
    /// <param name="IsAfter">Whether the request began after the line of the log.</param>
    private sealed record Answer(string Text, bool IsAfter);
}
