using KeycloakCreditBridge.Api.Problems;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Credits.Grants;
using KeycloakCreditBridge.Grants.Codes;
using KeycloakCreditBridge.Grants.Codes.Campaigns;
using KeycloakCreditBridge.Page.Gate;
using KeycloakCreditBridge.Page.Sessions;
using KeycloakCreditBridge.Page.Shell;
using KeycloakCreditBridge.Provisioning.Policy;

namespace KeycloakCreditBridge.Page.Codes;

/// <summary>Lists campaigns with their counts, and makes one: what it could cost is shown before, and its codes this once.</summary>
internal sealed class CodesScreen(
    CampaignStore campaigns, CampaignMaker maker, CodeHasher hasher, Hot<GrantPolicy> policies, ActRunner acts, TimeProvider clock)
{
    public Task<IResult> ShowAsync(HttpContext context) =>
        ShowAsync(context, new AskedFilters(context).Realm(), null, StatusCodes.Status200OK);

    public async Task<IResult> CreateAsync(HttpContext context, string realm)
    {
        var (user, fields) = (Operator.Of(context), context.Features.Get<IFormCollection>()!);
        user.Demand(realm, Access.View);
        var (wanted, form) = CampaignForm.Of(fields).Read(
            realm, user.Subject, policies.Current.RulesOf(realm).CanClaim, clock.GetUtcNow());
        if (user.MayChange(realm) && (!form.IsRight || fields["step"] == "edit"))
            return await ShowAsync(context, realm, form, form.IsRight ? StatusCodes.Status200OK : StatusCodes.Status400BadRequest);
        if (user.MayChange(realm) && fields["step"] != "do")
            return Screens.Show<MakeView, MakeModel>(context, new MakeModel(wanted, form));
        var act = new PageAct(
            "create_campaign", realm, null, ("campaign", form.Name), ("credits", form.Credits), ("codes", form.Count),
            ("max_redemptions", form.Places));
        return await acts.DoAsync(context, act, async () =>
        {
            var made = await MadeAsync(wanted);
            return made.Outcome switch
            {
                CreateOutcome.Done => Screens.Show<MadeView, MadeModel>(context, new MadeModel(realm, wanted.Name, made.Codes)),
                CreateOutcome.NameTaken => throw Refused(
                    $"There is a campaign {wanted.Name} in this realm already: choose another name. If you have just made it by sending "
                    + "the form twice, its codes were shown by the first answer only: disable it and make another one."),
                _ => throw Refused("Another campaign of this realm has this code: choose another one."),
            };
        });
    }

    public static string AddressOf(string realm) => $"{Menu.Codes}?realm={Texts.Segment(realm)}";

    private async Task<IResult> ShowAsync(HttpContext context, string realm, CampaignForm? form, int status)
    {
        var user = Operator.Of(context);
        var found = await campaigns.ListAsync([realm], null, context.RequestAborted);
        return Screens.Show<CodesView, CodesModel>(
            context,
            new CodesModel(realm, user.Realms, [.. found.Reverse()], hasher.IsReady, user.MayChange(realm), form, clock.GetUtcNow()),
            status);
    }

    // It goes on when the operator leaves, who could not know the outcome otherwise.
    private async Task<CreateResult> MadeAsync(NewCampaign wanted)
    {
        try
        {
            return await GrantEnd.RespectedAsync(() => maker.CreateAsync(wanted, CancellationToken.None));
        }
        catch (ConfigurationException exception)
        {
            throw Refused(exception.Problems[0]);
        }
    }

    private static RequestRefusedException Refused(string reason) => new(StatusCodes.Status409Conflict, reason);
}

internal static class PageCodeRoutes
{
    public static void MapCodes(this IEndpointRouteBuilder screens)
    {
        screens.MapGet("/codes", (HttpContext context, CodesScreen screen) => screen.ShowAsync(context));
        screens.MapPost("/codes/{realm}", (HttpContext context, CodesScreen screen, string realm) => screen.CreateAsync(context, realm));
        var one = screens.MapGroup("/codes/{realm}/{name}");
        one.MapGet("", (HttpContext context, CampaignScreen screen, string realm, string name) => screen.ShowAsync(context, realm, name));
        one.MapPost(
            "/disable",
            (HttpContext context, CampaignScreen screen, string realm, string name) => screen.DisableAsync(context, realm, name));
        one.MapPost(
            "/void", (HttpContext context, CampaignScreen screen, string realm, string name) => screen.VoidAsync(context, realm, name));
    }
}

/// <param name="Campaigns">The latest first.</param>
/// <param name="IsReady">Whether there is a key, without which no code can be made or redeemed.</param>
/// <param name="Form">A form with a mistake; null for none.</param>
internal sealed record CodesModel(
    string Realm, IReadOnlyList<string> Realms, IReadOnlyList<Campaign> Campaigns, bool IsReady, bool MayChange, CampaignForm? Form,
    DateTimeOffset Now);

/// <summary>A campaign that is not made yet.</summary>
internal sealed record MakeModel(NewCampaign Wanted, CampaignForm Form)
{
    /// <summary>What all places together would pay.</summary>
    public decimal Most => Wanted.Count * Wanted.Places * Wanted.Credits;
}

/// <param name="Codes">In the order of their numbers.</param>
internal sealed record MadeModel(string Realm, string Name, IReadOnlyList<string> Codes)
{
    // Neither a number nor a code is a formula or needs quotes.
    public string Csv { get; } = $"number,code\n{string.Concat(Codes.Select((code, index) => $"{index + 1},{code}\n"))}";
}
