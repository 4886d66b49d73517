namespace KeycloakCreditBridge.Page.Gate;

/// <summary>Marks a form that changes nothing: it counts against no limit of changes.</summary>
internal sealed class ChangesNothing;

/// <summary>Marks a route that goes on for long: without a session it answers 401 and no redirect.</summary>
internal sealed class IsStream;

/// <summary>Marks a route for every signed-in user.</summary>
internal sealed class NeedsNoRole;
