using System.Globalization;
using System.Text;
using KeycloakCreditBridge.Api.Problems;
using KeycloakCreditBridge.Api.Requests;
using KeycloakCreditBridge.Api.Tokens;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Credits.Grants;
using KeycloakCreditBridge.Grants.Claims;
using KeycloakCreditBridge.Grants.Codes.Campaigns;
using KeycloakCreditBridge.Grants.Lots;
using KeycloakCreditBridge.Provisioning.Policy;

namespace KeycloakCreditBridge.Credits.Codes;

/// <summary>Makes, counts, disables and voids the codes of the caller's realm.</summary>
internal sealed class CampaignEndpoints(
    CampaignMaker maker, CampaignStore campaigns, CampaignVoider voider, Hot<GrantPolicy> policies, TimeProvider clock)
{
    private const int LongestReason = 500;
    private const int LongestSpan = 30;
    private const int LongestName = 40;
    private const string Csv = "text/csv";

    private static readonly string[] Reaches = ["stop", "others", "all"];

    private static readonly string[] Onces = ["user", "email", "inbox"];

    private static readonly string[] CreateFields =
        ["name", "credits", "expires_after", "starts_at", "ends_at", "verified_email", "once", "count", "max_redemptions", "code"];

    public async Task<IResult> CreateAsync(HttpContext context)
    {
        var fields = await BodyFields.ReadAsync(context.Request);
        fields.Only(CreateFields);
        var word = fields.OptionalText("code", LongestName);
        var once = (OncePer)Array.IndexOf(Onces, fields.Choice("once", Onces));
        var wanted = new NewCampaign(
            Caller.Of(context).Realm, fields.Text("name", LongestName), fields.Amount("credits"), Span(fields, "expires_after"),
            fields.OptionalInstant("starts_at"), fields.OptionalInstant("ends_at"),
            NewCampaign.RequiredBy(once, fields.Flag("verified_email")), fields.OptionalCount("count") ?? 1,
            fields.OptionalCount("max_redemptions") ?? (word is null ? 1 : 0), word, Caller.Of(context).Subject)
        {
            Once = once,
        };
        if (once > OncePer.User && !policies.Current.RulesOf(wanted.Realm).CanClaim)
            fields.Refuse("once", "needs a secret in Provisioning:SignupGrant:EmailKey, by which addresses are remembered");
        foreach (var (field, problem) in CampaignRules.Problems(wanted, clock.GetUtcNow()))
            fields.Refuse(field, problem);
        fields.Check();
        var result = await MadeAsync(wanted);
        if (result.Outcome != CreateOutcome.Done)
        {
            throw new RequestRefusedException(StatusCodes.Status409Conflict, result.Outcome == CreateOutcome.NameTaken
                ? $"There is a campaign '{wanted.Name}' in this realm already: choose another name."
                : "Another campaign of this realm has this code: choose another one.");
        }

        return AcceptsCsv(context.Request)
            ? TypedResults.Text(CsvOf(result.Codes), Csv, Encoding.UTF8, StatusCodes.Status201Created)
            : TypedResults.Json(
                new CreatedCampaignShape(wanted.Name, [.. result.Codes.Select((code, index) => new CreatedCodeShape(index + 1, code))]),
                statusCode: StatusCodes.Status201Created);
    }

    public async Task<IResult> ListAsync(HttpContext context) => TypedResults.Ok(
        (await campaigns.ListAsync([Caller.Of(context).Realm], null, context.RequestAborted)).Select(CampaignShape.Of).ToArray());

    public async Task<IResult> ShowAsync(HttpContext context, string name)
    {
        var realm = Caller.Of(context).Realm;
        var campaign = await FindAsync(realm, name, context.RequestAborted);
        var codes = await campaigns.CodesAsync(realm, name, context.RequestAborted);
        return TypedResults.Ok(new CampaignCodesShape(CampaignShape.Of(campaign), [.. codes.Select(CampaignCodeShape.Of)]));
    }

    public async Task<IResult> DisableAsync(HttpContext context, string name)
    {
        var fields = await BodyFields.ReadAsync(context.Request);
        var number = fields.OptionalCount("number");
        fields.Check();
        var caller = Caller.Of(context);
        await FindAsync(caller.Realm, name, context.RequestAborted);
        return TypedResults.Ok(new DisabledCodesShape(
            name, await campaigns.DisableAsync(caller.Realm, name, number, caller.Subject, clock.GetUtcNow(), CancellationToken.None)));
    }

    public async Task<IResult> VoidAsync(HttpContext context, string name)
    {
        var fields = await BodyFields.ReadAsync(context.Request);
        var (reason, reach) = (fields.Text("reason", LongestReason), (VoidReach)Array.IndexOf(Reaches, fields.Choice("beyond", Reaches)));
        var (release, confirmed) = (fields.Flag("release"), fields.OptionalCount("confirm"));
        fields.Check();
        var caller = Caller.Of(context);
        await FindAsync(caller.Realm, name, context.RequestAborted);
        var result = await voider.VoidAsync(
            new CampaignVoid(
                caller.Realm, name, reach, reason, release, confirmed, caller.Subject, context.Connection.RemoteIpAddress?.ToString()),
            CancellationToken.None);
        return confirmed is null || confirmed == result.Redemptions
            ? TypedResults.Ok(new VoidedCampaignShape(
                name, result.Redemptions, Amount.Text(result.Credits), result.Voided, Amount.Text(result.Taken), result.Rejected))
            : throw new RequestRefusedException(
                StatusCodes.Status409Conflict,
                string.Create(CultureInfo.InvariantCulture, $"Nothing was done: these are {result.Redemptions} redemptions."));
    }

    private async Task<CreateResult> MadeAsync(NewCampaign wanted)
    {
        try
        {
            return await GrantEnd.RespectedAsync(() => maker.CreateAsync(wanted, CancellationToken.None));
        }
        catch (ConfigurationException exception)
        {
            throw new RequestRefusedException(StatusCodes.Status409Conflict, exception.Problems[0]);
        }
    }

    private async Task<Campaign> FindAsync(string realm, string name, CancellationToken cancellationToken) =>
        name.Length <= LongestName && !name.Contains('\0', StringComparison.Ordinal)
        && await campaigns.ListAsync([realm], name, cancellationToken) is [var campaign]
            ? campaign
            : throw new RequestRefusedException(StatusCodes.Status404NotFound, "There is no such campaign in this realm.");

    private static TimeSpan? Span(BodyFields fields, string name)
    {
        if (fields.OptionalText(name, LongestSpan) is not { } text)
            return null;
        if (TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out var span))
            return span;
        fields.Refuse(name, "is not a time such as 30.00:00:00");
        return null;
    }

    private static bool AcceptsCsv(HttpRequest request) =>
        request.GetTypedHeaders().Accept.Any(type => type.MediaType.Equals(Csv, StringComparison.OrdinalIgnoreCase));

    // Neither a number nor a code is a formula or needs quotes.
    private static string CsvOf(IReadOnlyList<string> codes) => codes
        .Select((code, index) => string.Create(CultureInfo.InvariantCulture, $"{index + 1},{code}\n"))
        .Aggregate(new StringBuilder("number,code\n"), (text, line) => text.Append(line), text => text.ToString());
}
