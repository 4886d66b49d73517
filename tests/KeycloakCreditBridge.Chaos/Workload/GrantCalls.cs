using System.Globalization;
using System.Text.Json.Nodes;
using Dapper;
using KeycloakCreditBridge.Chaos.Evidence;
using KeycloakCreditBridge.Chaos.Plans;
using KeycloakCreditBridge.Chaos.World;

namespace KeycloakCreditBridge.Chaos.Workload;

/// <summary>Codes that users redeem, users that bring others, and periods that other programs end.</summary>
internal sealed class GrantCalls(ChaosWorld world, PlannedUsers users, BridgeApi api, CreditCalls calls, History history)
{
    private const int Newest = 3;
    private const int Neighbors = 20;
    private const string ReferralPath = "api/v1/credits/referrals";

    private const string EndPeriodSql =
        """
        update user_credits set last_reset = now()
        where keycloak_id = @account and status = 'active' and last_reset > now() and created_at < now()
        """;

    /// <summary>Makes a code with few places, so that users race for them.</summary>
    public async Task MakeAsync(Step step)
    {
        var (name, code) = ($"c-{step.Number}", $"CHAOS-{step.Number:000000}");
        var answer = await api.SendAsync(
            step.Replica, HttpMethod.Post, "api/v1/credits/codes", new JsonObject
            {
                ["name"] = name, ["code"] = code, ["credits"] = step.Amount.ToString(CultureInfo.InvariantCulture),
                ["max_redemptions"] = 2 + (step.Variant % 5),
            });
        if (answer.IsDone)
            history.Codes.Enqueue((name, code, step.Amount));
    }

    public async Task RedeemAsync(Step step, string account)
    {
        var codes = history.Codes.ToArray();
        if (codes.Length == 0 || await api.UserTokenAsync(PlannedUsers.Named(step.User)) is not { } token)
            return;
        var (campaign, code, credits) = codes[^(1 + (step.Variant % Math.Min(Newest, codes.Length)))];
        await calls.RepeatAsync(
            step, account,
            (replica, _) => api.SendAsync(
                replica, HttpMethod.Post, "api/v1/credits/codes/redeem", new JsonObject { ["code"] = code }, userToken: token),
            isRepeatable: true, credits, campaign);
    }

    /// <summary>A user gives the code of one that was there before. Both have verified addresses, as both need to be paid.</summary>
    public async Task ReferAsync(Step step, string referee, CancellationToken token)
    {
        var number = step.User - 1 - (step.Variant % Neighbors);
        if (number < 0 || users.IdOf(number) is not { } referrer)
            return;
        foreach (var id in (string[])[referee, referrer])
            await world.Admin.UpdateUserAsync(ChaosWorld.Realm, id, new() { ["emailVerified"] = true }, token);
        if (await api.UserTokenAsync(PlannedUsers.Named(number)) is not { } ownToken
            || await api.SendAsync(step.Replica, HttpMethod.Get, ReferralPath, userToken: ownToken) is not { IsDone: true, Body: { } own }
            || await api.UserTokenAsync(PlannedUsers.Named(step.User)) is not { } refereeToken)
            return;
        var body = new JsonObject { ["code"] = (string?)own["code"] };
        // It may be repeated, at either replica.
        foreach (var replica in (int[])[step.Replica, 1 - step.Replica])
            await api.SendAsync(replica, HttpMethod.Post, ReferralPath, body.DeepClone(), userToken: refereeToken);
    }

    public async Task EndPeriodAsync(string account)
    {
        history.EndedPeriods.TryAdd(account, false);
        await using var connection = await world.DataSource.OpenConnectionAsync();
        if (await connection.ExecuteAsync(EndPeriodSql, new { account }) == 1)
            history.EndedPeriods[account] = true;
    }
}
