using System.Globalization;
using KeycloakCreditBridge.Api.Problems;
using KeycloakCreditBridge.Grants.Codes.Campaigns;
using KeycloakCreditBridge.Grants.Lots;
using KeycloakCreditBridge.Page.Gate;
using KeycloakCreditBridge.Page.Sessions;
using KeycloakCreditBridge.Page.Shell;

namespace KeycloakCreditBridge.Page.Codes;

/// <summary>One campaign and its codes: they are disabled, and what they gave is counted and then taken back.</summary>
internal sealed class CampaignScreen(CampaignStore campaigns, CampaignVoider voider, ActRunner acts, TimeProvider clock)
{
    private const int PageSize = 100;
    private const int LongestName = 40;

    private static readonly string[] Reaches = ["stop", "others", "all"];

    public async Task<IResult> ShowAsync(HttpContext context, string realm, string name)
    {
        var user = Operator.Of(context);
        user.Demand(realm, Access.View);
        var campaign = await FindAsync(realm, name, context.RequestAborted);
        var after = NumberOf(context.Request.Query["after"]) ?? 0;
        var codes = (await campaigns.CodesAsync(realm, name, context.RequestAborted)).Where(code => code.Number > after).ToList();
        return Screens.Show<CampaignView, CampaignModel>(
            context,
            new CampaignModel(
                campaign, [.. codes.Take(PageSize)], codes.Count > PageSize, user.MayChange(realm),
                NumberOf(context.Request.Query["number"]), clock.GetUtcNow()));
    }

    /// <summary>Ends redemptions of one code or of all.</summary>
    public async Task<IResult> DisableAsync(HttpContext context, string realm, string name)
    {
        var (user, form) = (Operator.Of(context), context.Features.Get<IFormCollection>()!);
        user.Demand(realm, Access.View);
        var (isAll, number, reason) = (form["which"] == "all", NumberOf(form["number"]), Reason.Of(form));
        var act = new PageAct(
            "disable_codes", realm, null, ("campaign", name), ("number", isAll ? "all" : form["number"].ToString()), ("reason", reason));
        return await acts.DoAsync(context, act, async () =>
        {
            Reason.Check(reason);
            if (!isAll && number is null)
                throw new RequestRefusedException(StatusCodes.Status400BadRequest, "Choose a code by its number.");
            await FindAsync(realm, name, context.RequestAborted);
            var disabled = await campaigns.DisableAsync(
                realm, name, isAll ? null : number, user.Subject, clock.GetUtcNow(), CancellationToken.None);
            return disabled > 0 ? Screens.GoTo(AddressOf(realm, name), "disabled")
                : throw new RequestRefusedException(
                    StatusCodes.Status409Conflict, "There is no such code, or it was disabled before.");
        });
    }

    /// <summary>Counts what would be taken back, and takes it where the campaign's name was typed and the count still holds.</summary>
    public async Task<IResult> VoidAsync(HttpContext context, string realm, string name)
    {
        var (user, form) = (Operator.Of(context), context.Features.Get<IFormCollection>()!);
        user.Demand(realm, Access.View);
        var order = new CampaignVoid(
            realm, name, (VoidReach)Math.Max(0, Array.IndexOf(Reaches, form["beyond"].ToString())), Reason.Of(form),
            form["release"] == "on", null, user.Subject, context.Connection.RemoteIpAddress?.ToString());
        var isNamed = form["name"] == name;
        if (user.MayChange(realm) && (form["step"] != "do" || !isNamed))
            return await CountAsync(context, order, form["step"] == "do");
        var act = new PageAct(
            "void_campaign", realm, null, ("campaign", name), ("redemptions", form["count"]), ("reason", order.Reason),
            ("beyond", Reaches[(int)order.Beyond]), ("release", order.Release ? "yes" : null));
        return await acts.DoAsync(context, act, async () =>
        {
            Reason.Check(order.Reason);
            await FindAsync(realm, name, context.RequestAborted);
            long? confirmed = long.TryParse(form["count"], NumberStyles.None, CultureInfo.InvariantCulture, out var count) ? count : null;
            // It goes on when the operator leaves; what was taken back is not taken again by a second run.
            var done = await voider.VoidAsync(order with { Confirmed = confirmed ?? -1 }, CancellationToken.None);
            return confirmed == done.Redemptions
                ? Screens.Show<VoidView, VoidModel>(context, new VoidModel(order, done, IsDone: true, null))
                : throw new RequestRefusedException(
                    StatusCodes.Status409Conflict,
                    $"Nothing was done: these are {Texts.Count(done.Redemptions)} redemptions meanwhile. Count and confirm again.");
        });
    }

    public static string AddressOf(string realm, string name) => $"{Menu.Codes}/{Texts.Segment(realm)}/{Texts.Segment(name)}";

    private async Task<IResult> CountAsync(HttpContext context, CampaignVoid order, bool isConfirmed)
    {
        Reason.Check(order.Reason);
        await FindAsync(order.Realm, order.Campaign, context.RequestAborted);
        var counted = await voider.VoidAsync(order, context.RequestAborted);
        return Screens.Show<VoidView, VoidModel>(
            context,
            new VoidModel(order, counted, IsDone: false, isConfirmed ? $"Type {order.Campaign} to take it back." : null),
            isConfirmed ? StatusCodes.Status400BadRequest : StatusCodes.Status200OK);
    }

    private async Task<Campaign> FindAsync(string realm, string name, CancellationToken cancellationToken) =>
        name.Length <= LongestName && !name.Contains('\0', StringComparison.Ordinal)
        && await campaigns.ListAsync([realm], name, cancellationToken) is [var campaign]
            ? campaign
            : throw Operator.NotFound();

    private static int? NumberOf(string? text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;
}

/// <param name="Codes">A page of them.</param>
/// <param name="Number">The code that the form for disabling was opened for; null for none.</param>
internal sealed record CampaignModel(
    Campaign Campaign, IReadOnlyList<CampaignCode> Codes, bool AreMore, bool MayChange, int? Number, DateTimeOffset Now);

/// <param name="Counted">What is open, and with <paramref name="IsDone"/> what was taken back.</param>
/// <param name="Fault">What was typed wrong; null for nothing.</param>
internal sealed record VoidModel(CampaignVoid Order, VoidedCampaign Counted, bool IsDone, string? Fault)
{
    public string Beyond => Order.Beyond.ToString().ToLowerInvariant();
}
