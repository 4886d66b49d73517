using System.Globalization;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Chaos.Evidence;
using KeycloakCreditBridge.Chaos.Plans;

namespace KeycloakCreditBridge.Chaos.Workload;

/// <summary>Requests about credits. Each is recorded as its caller saw it.</summary>
internal sealed class CreditCalls(BridgeApi api, History history)
{
    private const int MostAttempts = 4;

    private static readonly string[] Tiers = ["free", "trial", "starter", "professional"];
    private static readonly string[] Modes = ["counts", "windows", "list"];

    public Task ReadAsync(Step step, string account) => OnceAsync(
        step, account, HttpMethod.Get, $"api/v1/credits/balance?user_id={account}", null, step.Replica);

    public Task DeductAsync(Step step, string account) => ChangeAsync(
        step, account, "deduct", -step.Amount, new() { ["service"] = "chaos" });

    public Task AllocateAsync(Step step, string account) => ChangeAsync(
        step, account, "allocate", step.Amount * 10,
        new() { ["source"] = NameOf(step), ["type"] = step.Variant % 2 == 0 ? "purchase" : "bonus" });

    public Task AdjustAsync(Step step, string account)
    {
        var amount = step.Variant % 2 == 0 ? step.Amount : -step.Amount;
        return ChangeAsync(
            step, account, "adjust", amount, new() { ["reason"] = "chaos", ["allow_negative"] = true, ["amount"] = Text(amount) });
    }

    public Task TrackAsync(Step step, string account) => ChangeAsync(
        step, account, "usage/track", -step.Amount,
        new() { ["service"] = "chaos", ["cost"] = Text(step.Amount), ["tokens"] = step.Variant });

    /// <summary>Gives back a part of an earlier usage, or some credits where there is none.</summary>
    public Task RefundAsync(Step step, string account)
    {
        var used = history.DoneOf(account, StepKind.Track).Where(call => call.Entry is not null).ToArray();
        var refunded = used.Length == 0 ? null : used[step.Variant % used.Length];
        var amount = refunded is null ? step.Amount : decimal.Round(-refunded.Amount * 0.6m, 6);
        var body = new JsonObject { ["reason"] = "chaos" };
        if (refunded is not null)
            body["refunds"] = refunded.Entry;
        return ChangeAsync(step, account, "refund", amount, body, refunded?.Entry);
    }

    public Task SwitchTierAsync(Step step, string account)
    {
        var tier = Tiers[step.Variant % Tiers.Length];
        return ChangeAsync(step, account, "tiers/switch", 0, new() { ["new_tier"] = tier }, tier);
    }

    /// <summary>A gateway's report of one call; LiteLLM sends a report again that is not acknowledged.</summary>
    public async Task MeterAsync(Step step, string account)
    {
        var now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        var record = new JsonObject
        {
            ["id"] = $"r-{NameOf(step)}", ["litellm_call_id"] = NameOf(step), ["call_type"] = "acompletion", ["status"] = "success",
            ["response_cost"] = step.Amount, ["total_tokens"] = 100, ["model"] = "chaos", ["startTime"] = now - 1, ["endTime"] = now,
            ["metadata"] = new JsonObject { ["user_api_key_user_id"] = account },
        };
        await RepeatAsync(
            step, account, (replica, _) => api.SendAsync(replica, HttpMethod.Post, "usage/litellm", new JsonArray(record.DeepClone())),
            isRepeatable: true, -step.Amount, null);
    }

    /// <summary>Gives a grant that ends within seconds.</summary>
    public async Task EndGrantAsync(Step step, string account)
    {
        var given = step with { Kind = StepKind.Allocate };
        await AllocateAsync(given, account);
        if (await KeyOfAsync(step.Replica, account, NameOf(given)) is not { } key)
            return;
        var end = DateTimeOffset.UtcNow.AddMilliseconds(500 + (step.Variant * 10));
        await OnceAsync(
            step, account, HttpMethod.Patch, $"api/v1/credits/grants/{Uri.EscapeDataString(key)}",
            new JsonObject { ["user_id"] = account, ["expires_at"] = end.ToString("O", CultureInfo.InvariantCulture) }, step.Replica, key);
    }

    public async Task VoidGrantAsync(Step step, string account)
    {
        var given = history.DoneOf(account, StepKind.Allocate);
        if (given.Length == 0 || await KeyOfAsync(step.Replica, account, given[step.Variant % given.Length].Name) is not { } key)
            return;
        await OnceAsync(
            step, account, HttpMethod.Post, $"api/v1/credits/grants/{Uri.EscapeDataString(key)}/void",
            new JsonObject { ["user_id"] = account, ["reason"] = "chaos" }, step.Replica, key);
    }

    public Task BackfillAsync(Step step) => OnceAsync(
        step, "", HttpMethod.Post, "api/v1/admin/reconciliations", new JsonObject { ["mode"] = Modes[step.Variant % Modes.Length] },
        step.Replica);

    private static string NameOf(Step step) => $"{step.Kind}-{step.Number}";

    private static string Text(decimal amount) => amount.ToString(CultureInfo.InvariantCulture);

    private static CallOutcome OutcomeOf(ApiAnswer answer) =>
        answer.IsDone ? CallOutcome.Done : answer.IsRefused ? CallOutcome.Refused : CallOutcome.Unknown;

    private Task ChangeAsync(Step step, string account, string path, decimal amount, JsonObject body, string? about = null)
    {
        body["user_id"] = account;
        if (step.Kind is StepKind.Deduct or StepKind.Allocate or StepKind.Refund)
            body["amount"] = Text(Math.Abs(amount));
        if (step.Kind != StepKind.SwitchTier)
            body["metadata"] = new JsonObject { ["chaos"] = NameOf(step) };
        var key = step.HasKey ? $"key-{NameOf(step)}" : null;
        return RepeatAsync(
            step, account, (replica, _) => api.SendAsync(replica, HttpMethod.Post, $"api/v1/credits/{path}", body.DeepClone(), key),
            step.HasKey, amount, about);
    }

    /// <summary>Sends a request until its outcome is known, where that may be repeated, and records it.</summary>
    // Once it was unknown, a later refusal does not say that it was not carried out.
    public async Task RepeatAsync(
        Step step, string account, Func<int, int, Task<ApiAnswer>> send, bool isRepeatable, decimal amount, string? about)
    {
        var (started, replica, wasUnknown) = (DateTimeOffset.UtcNow, step.Replica, false);
        for (var attempt = 1; ; attempt++)
        {
            var answer = await send(replica, attempt);
            var outcome = OutcomeOf(answer);
            wasUnknown |= outcome == CallOutcome.Unknown;
            var isLast = !isRepeatable || attempt == MostAttempts || step.Variant % 5 == 0;
            if (outcome != CallOutcome.Unknown || isLast)
            {
                history.Add(new Call(
                    step.Kind, NameOf(step), account, started, DateTimeOffset.UtcNow, replica, attempt,
                    outcome == CallOutcome.Refused && wasUnknown ? CallOutcome.Unknown : outcome)
                {
                    Status = answer.Status, Amount = amount, About = about, Balance = BalanceOf(answer), Entry = EntryOf(answer),
                });
                return;
            }

            replica = 1 - replica;
            await Task.Delay(TimeSpan.FromMilliseconds(100 * attempt));
        }
    }

    private async Task OnceAsync(
        Step step, string account, HttpMethod method, string path, JsonObject? body, int replica, string? about = null)
    {
        var started = DateTimeOffset.UtcNow;
        var answer = await api.SendAsync(replica, method, path, body);
        history.Add(new Call(step.Kind, NameOf(step), account, started, DateTimeOffset.UtcNow, replica, 1, OutcomeOf(answer))
        {
            Status = answer.Status, Balance = BalanceOf(answer), About = about,
        });
    }

    private static decimal? BalanceOf(ApiAnswer answer) =>
        answer.IsDone && answer.Body is JsonObject body && (string?)body["balance"] is { } text
            ? decimal.Parse(text, CultureInfo.InvariantCulture)
            : null;

    private static string? EntryOf(ApiAnswer answer) => answer.Body is JsonObject body ? (string?)body["id"] : null;

    private async Task<string?> KeyOfAsync(int replica, string account, string source)
    {
        var answer = await api.SendAsync(replica, HttpMethod.Get, $"api/v1/credits/grants?user_id={account}");
        return answer.IsDone
            ? (string?)answer.Body!["grants"]!.AsArray().FirstOrDefault(grant => (string?)grant!["reason"] == source)?["grant_key"]
            : null;
    }
}
