using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Periods;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Grants.Lots;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Credits.Grants;

/// <summary>Each recorded case, told to a running bridge by its callers, has the recorded outcome.</summary>
public sealed class ExpiryVectorRouteTests(PostgresFixture postgres)
{
    private const string BookedSql =
        """
        select split_part(grant_key, ':', 1) || ' ' || (metadata ->> 'grant') || ' ' || trim_scale(-amount) from credit_transactions
        where user_id = @Account and grant_key like 'expire:%'
        """;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("Keep")]
    [InlineData("Forfeit")]
    public async Task Every_recorded_case_has_its_outcome_over_HTTP(string bought)
    {
        var clock = new ManualTimeProvider(DateTimeOffset.UtcNow);
        var ends = new GrantClock(() => clock.GetUtcNow());
        await using var fixture = await CreditsFixture.StartAsync(
            postgres, null, ends, ("Periods:Bought", bought), ("Periods:Cron", BridgeFixture.Never),
            ("Provisioning:Period", "3650.00:00:00"), ("Provisioning:Tiers:trial:Credits", "0"));
        foreach (var vector in ExpiryVector.All.Where(vector => vector.Rows.Any(row => row is ModelRow.Forfeit { KeepPaid: false })
            == (bought == "Forfeit")))
        {
            await new Story(fixture, clock).RunAsync(vector);
        }
    }

    /// <summary>One case on an account of its own. It begins where the clock is.</summary>
    private sealed class Story(CreditsFixture fixture, ManualTimeProvider clock)
    {
        private readonly string _account = EmulatedUser.NewId();
        private readonly DateTimeOffset _start = clock.GetUtcNow();
        private readonly Dictionary<string, string> _ids = new(StringComparer.Ordinal);

        public async Task RunAsync(ExpiryVector vector)
        {
            await AskAsync(HttpMethod.Get, CreditsFixture.Balance, null);
            await fixture.HintsDoneAsync();
            foreach (var row in vector.Rows)
            {
                MoveTo(row.At);
                await TellAsync(row);
            }

            MoveTo(vector.Until);
            var grants = (await AskAsync(HttpMethod.Get, "api/v1/credits/grants", null)).Json;
            Assert.Equal((vector.Name, vector.Balance, vector.Debt), (vector.Name, Number(grants["balance"]), Number(grants["debt"])));
            var left = grants["grants"]!.AsArray().Where(grant => Number(grant!["amount"]) > 0m)
                .ToDictionary(grant => (string)grant!["grant_key"]!, grant => Number(grant!["remainder"]), StringComparer.Ordinal);
            Assert.Equal(
                vector.Lots.Select(lot => $"{vector.Name}: {lot.Key} {lot.Value:0.##}").Order(StringComparer.Ordinal),
                left.Select(lot => $"{vector.Name}: {KeyOf(lot.Key)} {lot.Value:0.##}").Order(StringComparer.Ordinal));
            // What ends at one instant is booked in the order of the keys, which are ids by chance here.
            Assert.Equal(
                vector.BookedOut.Where(item => item.Reason == "expire")
                    .Select(item => string.Create(CultureInfo.InvariantCulture, $"{vector.Name}: expire {item.Lot} {item.Amount}"))
                    .Order(StringComparer.Ordinal),
                (await fixture.Database.QueryAsync<string>(BookedSql, new { Account = _account }))
                    .Select(row => row.Split(' ') is [var kind, var lot, var amount] ? $"{vector.Name}: {kind} {KeyOf(lot)} {amount}" : row)
                    .Order(StringComparer.Ordinal));
            // What is remembered of a balance ends by the bridge's own clock, and by what the database tells.
            await Eventually.TrueAsync(
                async () => Number((await AskAsync(HttpMethod.Get, CreditsFixture.Balance, null)).Json["balance"]) == vector.Balance,
                $"{vector.Name}: the balance is {vector.Balance}");
        }

        private async Task TellAsync(ModelRow row)
        {
            switch (row)
            {
                case ModelRow.Grant grant:
                    await PostAsync(CreditsFixture.Allocate, grant, new JsonObject
                    {
                        ["amount"] = grant.Amount, ["source"] = "story", ["type"] = grant.Paid ? "purchase" : "bonus",
                        ["priority"] = grant.Priority, ["expires_at"] = grant.Ends is { } ends ? JsonValue.Create(TimeOf(ends)) : null,
                    });
                    break;
                case ModelRow.Debit debit:
                    // Only an unlimited account may be charged more than it has.
                    await SetUnlimitedAsync(true);
                    await PostAsync(CreditsFixture.Deduct, debit, new JsonObject { ["amount"] = debit.Amount, ["service"] = "story" });
                    await SetUnlimitedAsync(false);
                    break;
                case ModelRow.Refund refund:
                    await PostAsync(CreditsFixture.Refund, refund, new JsonObject
                    {
                        ["amount"] = refund.Amount, ["reason"] = "story", ["refunds"] = refund.Of is { } of ? _ids[of] : null,
                    });
                    break;
                case ModelRow.Void taken:
                    await PostAsync($"api/v1/credits/grants/{LotOf(taken.Of)}/void", taken, new JsonObject
                    {
                        ["reason"] = "story", ["beyond"] = taken.Beyond.ToString().ToLowerInvariant(),
                    });
                    break;
                case ModelRow.Forfeit:
                    // Years ago by the bridge's clock, so that no other period ends, and each on a day of its own.
                    await fixture.Database.ExecuteAsync(
                        "update user_credits set created_at = now() - interval '3001 days', "
                            + "last_reset = now() - interval '3000 days' + make_interval(days => @At) where user_id = @_account",
                        new { At = (int)row.At, _account });
                    await fixture.Bridge.Services.GetRequiredService<PeriodReset>().RunAsync(Token);
                    break;
            }
        }

        private Task<int> SetUnlimitedAsync(bool unlimited) => fixture.Database.ExecuteAsync(
            "update user_credits set unlimited = @unlimited where user_id = @_account", new { unlimited, _account });

        private async Task PostAsync(string path, ModelRow row, JsonObject body)
        {
            body["user_id"] = _account;
            await AskAsync(HttpMethod.Post, path, body);
            var ledger = (await AskAsync(HttpMethod.Get, "api/v1/credits/transactions?limit=10", null)).Json.AsArray();
            _ids[row.Key] = (string)ledger.First(
                item => (string?)item!["transaction_type"] != "adjustment" || row is ModelRow.Void)!["id"]!;
        }

        // Tokens outlive the years that the clock runs through.
        private async Task<ApiReply> AskAsync(HttpMethod method, string path, JsonObject? body)
        {
            fixture.Keycloak.Realm(CreditsFixture.Realm).EnsureUser(new EmulatedUser(_account, $"name-of-{_account}"));
            var claims = fixture.Claims(_account, body is null ? [] : [CreditsFixture.Admin]);
            claims["exp"] = DateTimeOffset.UtcNow.AddYears(20).ToUnixTimeSeconds();
            var answer = await fixture.SendAsync(method, path, fixture.Sign(claims), body?.ToJsonString(), null);
            Assert.True(answer.Status == HttpStatusCode.OK, $"{method} {path} {body?.ToJsonString()}: {answer.Status} {answer.Body}");
            return answer;
        }

        private void MoveTo(long at) => clock.SetUtcNow(TimeOf(at));

        private DateTimeOffset TimeOf(long at) => _start.AddDays(at);

        private string LotOf(string key) => $"tx:{_ids[key]}";

        private string KeyOf(string lot) => _ids.FirstOrDefault(id => lot == $"tx:{id.Value}", new(lot, "")).Key;

        private static decimal Number(JsonNode? text) => decimal.Parse((string)text!, CultureInfo.InvariantCulture);
    }
}
