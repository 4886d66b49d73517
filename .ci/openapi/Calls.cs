// The ordinary calls, through the client that NSwag makes of the document. It compiles, or the document is wrong.
using Bridge;

string Setting(string name) => Environment.GetEnvironmentVariable(name) ?? throw new InvalidOperationException($"{name} is not set.");
var id = Setting("USER_ID");
var (user, admin) = (Client("Authorization", $"Bearer {Setting("USER_TOKEN")}"), Client("Authorization", $"Bearer {Setting("ADMIN_TOKEN")}"));

Equal("5.000000", (await user.GetBalanceAsync(null)).Credits_remaining);
var allocate = new AllocateShape { User_id = id, Amount = "10.5", Source = "order-1", Type = "purchase" };
allocate.Metadata = new Dictionary<string, object> { ["order"] = 1 };
Equal("15.500000", (await admin.AllocateCreditsAsync("order-1", allocate)).Balance);
Equal("15.000000", (await admin.DeductCreditsAsync(null, new DeductShape { User_id = id, Amount = "0.5", Service = "chat" })).Balance);
var tracked = await user.TrackUsageAsync(null, new TrackShape { Service = "chat", Tokens = 12, Cost = "1" });
Equal(12, tracked.Tokens);
await admin.RefundCreditsAsync(null, new RefundShape { User_id = id, Amount = "1", Reason = "late", Refunds = tracked.Id });
await admin.AdjustCreditsAsync(null, new AdjustShape { User_id = id, Amount = "-2", Reason = "chargeback" });
Equal("13.000000", (await user.GetLlmBalanceAsync(null)).Credits_remaining);

Equal("usage", (await user.ListTransactionsAsync(null, 2, null, null, Transaction_type.Usage)).First().Transaction_type);
Equal(6L, (await user.GetHistoryAsync(null, 1, null, null, null)).Total);
Equal(2L, (await user.GetUsageAsync(null, null, null)).Services["chat"].Events);
Equal(true, (await user.ListTiersAsync()).Any(tier => tier.Tier == "free"));
await admin.SwitchTierAsync(null, new SwitchShape { User_id = id, New_tier = "starter" });
await admin.InitializeUserAsync(id);
var run = await admin.StartRunAsync(new RunShape { Dry_run = true });
Equal(true, (await admin.GetRunAsync(run.Id)).Dry_run);

try
{
    await admin.DeductCreditsAsync(null, new DeductShape { User_id = id, Amount = "1000000", Service = "chat" });
    throw new InvalidOperationException("A deduction beyond the balance was done.");
}
catch (ApiException<ProblemDetails> refused)
{
    Equal((402, "1000000.000000"), (refused.StatusCode, refused.Result.Needed));
}

var gateway = Client("x-api-key", Setting("GATEWAY_KEY"));
var question = new GuardrailRequest { Request_data = new GuardrailUser { User_api_key_user_id = id } };
Equal("NONE", (await gateway.DecideCallAsync(question)).Action);
await gateway.ReportUsageAsync([]);
await user.AuthorizeAsync();
Console.WriteLine("The C# client did the ordinary calls.");

static void Equal<T>(T expected, T actual)
{
    if (!Equals(expected, actual))
        throw new InvalidOperationException($"{actual} is not {expected}.");
}

BridgeClient Client(string header, string value)
{
    var http = new HttpClient();
    http.DefaultRequestHeaders.TryAddWithoutValidation(header, value);
    return new BridgeClient(http) { BaseUrl = Setting("BRIDGE_URL") };
}
